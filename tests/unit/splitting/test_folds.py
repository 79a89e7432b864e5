"""What every protocol promises, whatever the corpus."""

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.errors import DataError
from vietmer_core.splitting.plan import SplitPlan

MakePlan = Callable[..., SplitPlan]
MakeRows = Callable[..., list[dict[str, Any]]]

FIELDS = st.fixed_dictionaries(
    {
        "speaker_id": st.sampled_from([f"s{number}" for number in range(7)]),
        "recording_id": st.none() | st.sampled_from([f"r{number}" for number in range(40)]),
        "corpus": st.sampled_from(["a", "b", "c"]),
        "emotion": st.sampled_from(["angry", "happy", "sad"]),
    }
)
CORPORA = st.lists(FIELDS, min_size=12, max_size=40)
PROTOCOLS: list[dict[str, Any]] = [
    {"protocol": "holdout"},
    {"protocol": "holdout", "shares": (0.5, 0.5)},
    {"protocol": "kfold", "num_folds": 3},
    {"protocol": "loso"},
    {"protocol": "loco", "disjoint": ("recording",)},
]

REFUSALS = re.compile(r"need as many groups|one group of rows alone|leaving one \w+ out needs two|no two can be left")


def placements(plan: SplitPlan) -> list[dict[str, int]]:
    """For each fold, the split of each utterance."""
    ids = sorted(f"u{number:03d}" for number in range(len(plan.table)))
    return [dict(zip(ids, fold.splits.tolist(), strict=True)) for fold in plan.folds]


def shared(groups: NDArray[np.int64], splits: NDArray[np.int64]) -> list[int]:
    """Groups that stand in more than one split."""
    return [group for group in np.unique(groups).tolist() if len(set(splits[groups == group].tolist())) > 1]


@pytest.mark.parametrize("settings", PROTOCOLS, ids=lambda settings: "-".join(map(str, settings.values())))
def test_what_a_protocol_promises(make_plan: MakePlan, make_rows: MakeRows, settings: dict[str, Any]) -> None:
    @given(fields=CORPORA, seed=st.integers(0, 5), order=st.randoms(use_true_random=False))
    def promise(fields: list[dict[str, Any]], seed: int, order: random.Random) -> None:
        rows = make_rows(*fields)
        try:
            plan = make_plan(rows, seed=seed, **settings)
        except DataError as error:
            if not REFUSALS.search(str(error)):
                raise
            return
        splits = range(len(plan.settings.splits))
        for fold in plan.folds:
            assert shared(plan.groups.of_row, fold.splits) == []
            assert set(fold.splits.tolist()) == set(splits)
        if plan.settings.protocol != "holdout":
            tested = sum((fold.splits == 2).astype(np.int64) for fold in plan.folds)
            assert (tested == 1).all()
        order.shuffle(rows)
        again = make_plan(rows, seed=seed, **settings)
        assert placements(again) == placements(plan)
        assert again.protocol == plan.protocol

    promise()


def test_a_split_row_by_row_is_caught() -> None:  # the control of the test above
    groups = np.array([0, 0, 1, 1, 2])
    assert shared(groups, np.array([0, 0, 1, 1, 2])) == []
    assert shared(groups, np.array([0, 1, 1, 1, 2])) == [0]


def names(plan: SplitPlan, number: int) -> list[str]:
    """The speakers of each split of a fold."""
    codes, fold = plan.table.speakers.codes, plan.folds[number]
    speakers = plan.table.speakers.names
    return [
        " ".join(sorted({speakers[code] for code in codes[fold.splits == split].tolist() if code >= 0}))
        for split in range(3)
    ]


def test_leave_one_speaker_out_tests_each_speaker_in_the_order_of_numbers(
    make_plan: MakePlan, make_rows: MakeRows
) -> None:
    rows = make_rows(*({"speaker_id": f"s{number % 11}"} for number in range(44)))
    plan = make_plan(rows, protocol="loso")
    assert [fold.held_out for fold in plan.folds] == [(f"s{number}",) for number in range(11)]
    assert [names(plan, number)[2] for number in range(11)] == [f"s{number}" for number in range(11)]
    assert plan.folds[10].name == "fold_11"
    assert plan.protocol == "leave-one-speaker-out in 11 folds, speaker-disjoint, stratified by emotion, seed 0"
    with pytest.raises(DataError, match=r"there would be 11 folds.*no more than 10 are allowed"):
        make_plan(rows, protocol="loso", max_folds=10)


@pytest.mark.parametrize("unknown", ["own", "train"])
def test_no_speaker_can_be_left_out_where_none_is_known(make_plan: MakePlan, make_rows: MakeRows, unknown: str) -> None:
    rows = make_rows(*({"speaker_id": (None, " ", "X")[number % 3]} for number in range(12)))
    with pytest.raises(DataError, match="no row has a known speaker, so none can be left out"):
        make_plan(rows, protocol="loso", unknown_speakers=unknown, unknown_ids=frozenset({"x"}))


def test_speakers_of_one_recording_are_left_out_together(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"s{number % 5}", "recording_id": f"r{number % 5 // 2}"} for number in range(20)))
    plan = make_plan(rows, protocol="loso")
    assert [fold.held_out for fold in plan.folds] == [("s0", "s1"), ("s2", "s3"), ("s4",)]
    assert "`s0` and `s1` are left out together" in plan.cautions[0]


def test_leave_one_corpus_out_and_leave_one_session_out(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(
        *(
            {"speaker_id": f"s{number % 10}", "corpus": f"c{number % 10 // 4}", "session": number % 10 // 2}
            for number in range(40)
        )
    )
    plan = make_plan(rows, protocol="loco")
    assert [fold.held_out for fold in plan.folds] == [("c0",), ("c1",), ("c2",)]
    assert names(plan, 2)[2] == "s8 s9"
    plan = make_plan(rows, protocol="leave-one-out", by="session")
    assert [fold.held_out for fold in plan.folds] == [("0",), ("1",), ("2",), ("3",), ("4",)]
    assert names(plan, 1)[2] == "s2 s3"
    assert plan.protocol.startswith("leave-one-session-out in 5 folds, speaker-disjoint")
    with pytest.raises(DataError, match=r"field `sesion`. Did you mean `session`\?"):
        make_plan(rows, protocol="leave-one-out", by="sesion")


def test_a_speaker_of_two_corpora_makes_them_one(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"s{number % 4}", "corpus": f"c{number % 2}"} for number in range(20)))
    rows[0]["speaker_id"] = "s1"
    with pytest.raises(DataError, match="there are 2 values of `corpus`, but no two can be left out one at a time"):
        make_plan(rows, protocol="loco")


def test_validation_has_its_share_of_what_is_not_test(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"s{number // 5}"} for number in range(500)))
    plan = make_plan(rows, protocol="kfold", num_folds=4, valid_share=0.2)
    for parts in plan.summaries:
        assert [part.num_utterances for part in parts] == [300, 75, 125]


def test_balanced_fields_are_spread_too(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"s{number // 10}", "gender": "nm"[number // 100]} for number in range(200)))
    plan = make_plan(rows, shares=(0.5, 0.3, 0.2), balance=("gender",))
    assert [part.balance["gender"] for part in plan.summaries[0]] == [
        {"n": 50, "m": 50},
        {"n": 30, "m": 30},
        {"n": 20, "m": 20},
    ]
    assert "stratified by emotion and gender" in plan.protocol


def test_unknown_speakers_are_refused_counted_alone_or_trained_on(make_plan: MakePlan, make_rows: MakeRows) -> None:
    speakers = ["s1", None, "s2", "0", "s3", "s4", "s5"]
    rows = make_rows(*({"speaker_id": speakers[number % 7]} for number in range(70)))
    with pytest.raises(DataError, match=r"20 of 70 rows have no known speaker.*`--unknown-speakers train`"):
        make_plan(rows, unknown_ids=frozenset({"0"}))
    plan = make_plan(rows, unknown_ids=frozenset({"0"}), unknown_speakers="train")
    assert [part.num_unknown_speaker for part in plan.summaries[0]] == [20, 0, 0]
    assert plan.protocol.startswith("speaker-disjoint, 20 rows of unknown speakers only train, stratified")
    plan = make_plan(rows, unknown_ids=frozenset({"0"}), unknown_speakers="own")
    assert sum(part.num_unknown_speaker for part in plan.summaries[0]) == 20
    assert "20 rows of unknown speakers count as speakers of their own" in plan.protocol
    assert len(plan.groups) == 25
    plan = make_plan(rows, unknown_ids=frozenset({"0"}), unknown_speakers="train", protocol="loso")
    assert [fold.held_out[0] for fold in plan.folds] == ["s1", "s2", "s3", "s4", "s5"]
    assert all(parts[2].num_unknown_speaker == 0 for parts in plan.summaries)
    plan = make_plan(rows, unknown_ids=frozenset({"0"}), disjoint=("transcript",))
    assert plan.protocol.startswith("transcript-disjoint, not speaker-disjoint,")


def test_a_known_speaker_in_a_recording_of_an_unknown_one_trains_with_it(
    make_plan: MakePlan, make_rows: MakeRows
) -> None:
    rows = make_rows(*({"speaker_id": f"s{number % 5}", "recording_id": f"r{number}"} for number in range(40)))
    rows[0] |= {"speaker_id": None, "recording_id": "r1"}
    plan = make_plan(rows, unknown_speakers="train", protocol="loso")
    assert [fold.held_out[0] for fold in plan.folds] == ["s0", "s2", "s3", "s4"]
    assert any(caution.startswith("`s1` are never left out") for caution in plan.cautions)
