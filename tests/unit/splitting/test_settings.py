"""Settings that cannot be met, and what is said of rows that cannot be split."""

from collections.abc import Callable
from typing import Any

import pytest

from vietmer_core.errors import AssemblyError, DataError
from vietmer_core.splitting.plan import SplitPlan
from vietmer_core.splitting.settings import SplitSettings

MakePlan = Callable[..., SplitPlan]
MakeRows = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"shares": (0.5, 0.3)}, "`--shares` must sum to 1, but sum to 0.8."),
        ({"shares": (1.0, 0.0, 0.0)}, "`--shares` must all be above 0."),
        ({"shares": (1.0,)}, "but are 1 numbers"),
        ({"shares": (float("nan"), 0.5, 0.5)}, "`--shares` must all be above 0."),
        ({"protocol": "kfold", "num_folds": 1}, "`--folds` must be 2 or more, but is 1 instead."),
        ({"protocol": "kfold", "valid_share": 1.0}, "`--valid-share` must lie between 0 and 1, but is 1 instead."),
        ({"protocol": "leave-one-out"}, "`--by` names the field of the protocol `leave-one-out`"),
        ({"by": "session"}, "`--by` names the field of the protocol `leave-one-out`"),
        ({"seed": -1}, "`--seed` must be 0 or more, but is -1 instead."),
        ({"disjoint": ("speaker", "speaker")}, "`--disjoint` names `speaker` twice."),
        ({"disjoint": ("speaker_id",)}, "`--disjoint` names `speaker_id`, which is no metadata field."),
        ({"balance": ("speaker",)}, "`--balance` names metadata fields"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        SplitSettings(**settings)
    assert sentence in str(caught.value)


def test_too_few_groups_are_blamed_on_what_joins_them(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"s{number % 9}", "transcript": f"câu {number % 2}"} for number in range(90)))
    with pytest.raises(DataError) as caught:
        make_plan(rows, disjoint=("speaker", "transcript"))
    assert str(caught.value).startswith(
        "3 splits need as many groups of rows, but the rows form 1 group that must stay together. By speaker alone "
        "they form 9 (`s0` has 10 rows); by transcript alone they form 2 (`câu 0` has 45 rows). Leave a criterion out"
    )
    with pytest.raises(DataError, match="10 splits need as many groups of rows, but the rows form 9 groups"):
        make_plan(rows, protocol="kfold", num_folds=10)
    with pytest.raises(DataError, match="beside the test split of fold 1 there is one group of rows alone"):
        make_plan(rows, protocol="kfold", num_folds=2, disjoint=("transcript",))
    with pytest.raises(DataError, match="needs two of them, but there is only `vn`"):
        make_plan([{**row, "corpus": "vn"} for row in rows], protocol="loco")


def test_a_label_field_that_no_row_has_is_refused(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"s{number}"} for number in range(9)))
    with pytest.raises(DataError, match=r"no row has a label in `attitude`.*`--label-field`"):
        make_plan(rows, label_field="attitude")
    with pytest.raises(
        DataError, match=r"no row has a value of the field `call_id`\. The fields of metadata are: none"
    ):
        make_plan(rows, disjoint=("speaker", "call_id"))
    with pytest.raises(DataError, match=r"`--disjoint`: .* field `speakr`\. Did you mean `speaker`\?"):
        make_plan(rows, disjoint=("speakr",))


def test_what_could_not_be_done_is_told(make_plan: MakePlan, make_rows: MakeRows) -> None:
    fields: list[dict[str, Any]] = [
        {"speaker_id": f"s{number % 6}", "emotion": "sad" if number % 6 else "angry"} for number in range(60)
    ]
    fields[1] |= {"emotion": None, "gender": "nữ"}
    told = " ".join(make_plan(make_rows(*fields), balance=("gender",)).cautions)
    assert "class `angry` is absent from `valid`, `test`: one group alone holds it." in told
    assert "class `(no label)` is absent from `valid`, `test`: one group alone holds it." in told
    assert "rows without a label (1) are spread like a class of their own." in told
    assert "rows without `gender` (59) are spread like one more value of it." in told
    assert "speaker-disjoint" not in told


def test_a_group_that_is_too_large_for_its_split_is_told(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"s{number % 3}"} for number in range(60)))
    told = make_plan(rows).cautions
    assert "`train` holds 33.3 % of the rows, not 70.0 %: a group is not cut, and the largest has 20 rows." in told
    assert len(told) == 3


def test_speaker_ids_that_are_file_names_are_told(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"{number}.wav"} for number in range(30)))
    plan = make_plan(rows)
    assert plan.cautions[0].startswith("every row has a `speaker_id` of its own, 30 in all")
    assert "each row with a speaker_id of its own" in plan.protocol
    rows[0]["speaker_id"] = "1.wav"
    assert make_plan(rows).cautions == ()


def test_speakers_of_one_name_in_two_corpora_are_told(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": f"s{number % 9}", "corpus": f"c{number % 3}"} for number in range(90)))
    rows[0]["corpus"] = "c1"
    assert make_plan(rows).cautions[0].startswith("`s0` speak in several corpora and are taken for the same speakers")


def test_a_split_that_no_speaker_enters_says_so(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(*({"speaker_id": None} for _ in range(30)))
    plan = make_plan(rows, unknown_speakers="own")
    assert plan.protocol == "rows drawn one by one, speakers unknown, stratified by emotion, seed 0"
    plan = make_plan(rows, disjoint=())
    assert plan.protocol == "rows drawn one by one, not speaker-disjoint, stratified by emotion, seed 0"
    assert plan.cautions[0].startswith("the splits are not speaker-disjoint")


def test_one_group_of_most_rows_and_splits_without_a_known_speaker_are_told(
    make_plan: MakePlan, make_rows: MakeRows
) -> None:
    known = [{"speaker_id": f"s{number % 4}", "call_id": number // 20} for number in range(40)]
    rows = make_rows(*known, *({"speaker_id": None} for _ in range(20)))
    told = " ".join(make_plan(rows, disjoint=("speaker", "call_id"), unknown_speakers="own").cautions)
    assert "one group holds 66.7 % of the rows and 4 speakers, joined by what no two splits may share." in told
    assert "no known speaker is in `valid`, `test`." in told
    assert "rows without `call_id` (20): whether they share one is not known." in told
    told = " ".join(make_plan(rows, disjoint=("speaker",), unknown_speakers="train", shares=(0.7, 0.3)).cautions)
    assert "one group" not in told
    assert "no known speaker" not in told
