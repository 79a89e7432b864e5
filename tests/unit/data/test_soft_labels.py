"""Soft labels, from a row of a manifest to a batch."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.data.check import check_split
from vietmer_core.data.dataset import UtteranceDataset, collate
from vietmer_core.data.labels import RowRules, label_faults
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.data.splits import open_split
from vietmer_core.errors import DataError, DataProblemsError
from vietmer_core.frontends import Frontends
from vietmer_core.spec import ExperimentSpec

MakeRow = Callable[..., dict[str, Any]]
WriteManifest = Callable[..., Path]

FIELD = "emotion_probs"
LABELS = ("sad", "happy", "angry")
"""Not in the order of the alphabet."""


def opened(*paths: Path, **settings: Any) -> Manifest:
    label_map = settings.pop("label_map", {})
    sources = [ManifestSource(path=path, label_map=label_map) for path in paths]
    return Manifest.open(sources, **{"soft_label_field": FIELD, "labels": LABELS, "require_labels": True, **settings})


def rules(**changes: Any) -> RowRules:
    given_ = {"label_field": "emotion", "soft_label_field": FIELD, "label_map": {}, "labels": LABELS}
    return RowRules(**{**given_, "require_labels": True, **changes})


def test_a_soft_label_is_read_beside_the_label(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    manifest = opened(write_manifest(make_row(emotion_probs={"happy": 0.75, "sad": 0.25}, gender="f")))
    (utterance,) = manifest
    assert utterance.label == "happy"
    assert utterance.soft_label == {"happy": 0.75, "sad": 0.25}
    assert utterance.metadata == {"gender": "f"}
    assert manifest[0] == utterance
    assert manifest.soft_label_field == FIELD
    assert manifest.num_soft == 1


def test_it_is_left_alone_where_it_is_not_asked_for(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    manifest = opened(write_manifest(make_row(emotion_probs=["nonsense"])), soft_label_field=None)
    (utterance,) = manifest
    assert utterance.soft_label is None
    assert utterance.metadata == {FIELD: ["nonsense"]}
    assert manifest.num_soft == 0


@pytest.mark.parametrize("fields", [{}, {FIELD: None}])
def test_a_label_alone_has_all_the_probability(
    make_row: MakeRow, write_manifest: WriteManifest, fields: dict[str, Any]
) -> None:
    manifest = opened(write_manifest(make_row(emotion="angry", **fields), make_row(emotion_probs={"happy": 1})))
    assert [utterance.soft_label for utterance in manifest] == [{"angry": 1.0}, {"happy": 1.0}]
    assert manifest.num_soft == 1


def test_without_any_label_there_is_no_soft_label(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    (utterance,) = opened(write_manifest(make_row(emotion=...)), require_labels=False)
    assert (utterance.label, utterance.soft_label) == (None, None)


@pytest.mark.parametrize(
    ("soft", "expected"),
    [
        ({"happy": 0.6, "sad": 0.4}, "happy"),
        ({"happy": 0.5, "sad": 0.5}, "sad"),
        ({"angry": 0.4, "happy": 0.4, "sad": 0.2}, "happy"),
        ({"angry": 0.334, "happy": 0.333, "sad": 0.333}, "angry"),
        ({"mad": 0.1, "furious": 0.2, "happy": 0.3, "sad": 0.4}, "sad"),
        ({"mad": 0.2, "furious": 0.2, "happy": 0.4, "sad": 0.2}, "happy"),
        ({"mad": 0.1, "furious": 0.2, "happy": 0.3, "sad": 0.1, "angry": 0.3}, "angry"),
    ],
)
@pytest.mark.parametrize("field", [{"emotion": ...}, {"emotion": None}])
def test_without_a_label_the_most_probable_counts_ties_in_the_order_of_the_label_space(
    make_row: MakeRow,
    write_manifest: WriteManifest,
    soft: dict[str, float],
    expected: str,
    field: dict[str, Any],
) -> None:
    path = write_manifest(make_row(**field, emotion_probs=soft))
    manifest = opened(path, label_map={"mad": "angry", "furious": "angry"})
    assert manifest[0].label == expected
    assert manifest.sizes.labels.tolist() == [LABELS.index(expected)]


def test_a_tie_of_rounded_sums_is_a_tie() -> None:
    shares = {"mad": 0.1, "angry": 0.2, "happy": 0.3}  # 0.1 + 0.2 > 0.3 in binary
    ordered = rules(label_map={"mad": "angry"}, labels=("happy", "angry"))
    assert shares["mad"] + shares["angry"] > shares["happy"]
    assert ordered.label_of({FIELD: shares}) == "happy"


def test_without_a_label_space_ties_go_by_the_alphabet(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    path = write_manifest(make_row(emotion=None, emotion_probs={"sad": 0.5, "happy": 0.5}))
    manifest = opened(path, labels=None)
    assert manifest[0].label == "happy"
    assert manifest.label_names == ("happy",)


@given(
    votes=st.dictionaries(st.sampled_from(["happy", "sad", "angry", "mad", "calm"]), st.integers(0, 20)).filter(
        lambda votes: any(votes.values())
    ),
    digits=st.sampled_from([4, 16]),
)
def test_votes_are_mapped_summed_and_normalised(votes: dict[str, int], digits: int) -> None:
    total = sum(votes.values())
    row = {FIELD: {label: round(count / total, digits) for label, count in votes.items()}}
    mapping = {"mad": "angry", "calm": "sad"}
    made = rules(label_map=mapping)
    assert label_faults(row, made) == []
    expected: dict[str, Decimal] = {}
    for label, count in votes.items():
        name = mapping.get(label, label)
        expected[name] = expected.get(name, Decimal(0)) + Decimal(count) / total
    soft = made.soft_label_of(row)
    assert soft is not None
    assert soft == pytest.approx({label: float(share) for label, share in expected.items()}, abs=1e-3)
    assert sum(soft.values()) == pytest.approx(1, abs=1e-15)
    likely = made.label_of(row)
    assert likely is not None
    assert soft[likely] == pytest.approx(max(soft.values()), abs=1e-9)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({FIELD: ["happy"]}, "must be an object of labels and their probabilities, or null, but is a list instead."),
        ({FIELD: 0.5}, "must be an object of labels and their probabilities, or null, but is a number instead."),
        ({FIELD: {}}, "the object names no label. Write null where there is no soft label."),
        ({FIELD: {"happy": "1"}}, "the probability of `happy` must be a number, but is a string instead."),
        ({FIELD: {"happy": True}}, "the probability of `happy` must be a number, but is a truth value instead."),
        ({FIELD: {"happy": None}}, "the probability of `happy` must be a number, but is null instead."),
        ({FIELD: {"happy": 1.2, "sad": -0.2}}, "the probability of `happy` must lie between 0 and 1, but is 1.2."),
        (
            {FIELD: {"happy": 3, "sad": 0}},
            "the probability of `happy` must lie between 0 and 1, but is 3. Divide the raters' votes by their number.",
        ),
        ({FIELD: {"sad": -0.1, "happy": 1}}, "the probability of `sad` must lie between 0 and 1, but is -0.1."),
        ({FIELD: {"happy": 1e400}}, "the probability of `happy` must lie between 0 and 1, but is inf."),
        ({FIELD: {"happy": 10**400}}, "the probability of `happy` must lie between 0 and 1, but is a number of 401"),
        ({FIELD: {"happy": 0.9, "sad": 0.098}}, "the probabilities must sum to 1, within 0.001, but sum to 0.998."),
        ({FIELD: {"happy": 0}}, "the probabilities must sum to 1, within 0.001, but sum to 0."),
        (
            {FIELD: {"happy": 0.9, "sda": 0.1}},
            "`sda` is not in the label space: `angry`, `happy`, `sad`. Did you mean `sad`?",
        ),
        ({FIELD: {"happy": 1, "sda": 0}}, "`sda` is not in the label space"),
        ({FIELD: {"joy": 1}, "emotion": None}, "`fun` (from `joy` by the label map) is not in the label space"),
        (
            {FIELD: {"happy": 0.6, "unclear": 0.3, "other": 0.1}},
            "0.4 of the probability goes to `unclear` and `other`, which the label map leaves out. Map it to a label",
        ),
        ({FIELD: {"unclear": 1}}, "1 of the probability goes to `unclear`, which the label map leaves out."),
        ({FIELD: {"unclear": 0.9, "sad": 0.1}, "emotion": None}, "0.9 of the probability goes to `unclear`"),
        (
            {FIELD: {"happy": 0.4, "sad": 0.6}},
            "`sad` has the probability 0.6, but the label is `happy`, with 0.4. Correct one of them",
        ),
        ({FIELD: {"sad": 1}}, "`sad` has the probability 1, but the label is `happy`, with 0."),
        ({FIELD: {"happy": 0.4985, "sad": 0.5015}}, "`sad` has the probability 0.5015, but the label is `happy`"),
    ],
)
def test_a_faulty_soft_label_is_named_with_line_and_field(
    make_row: MakeRow, write_manifest: WriteManifest, fields: dict[str, Any], expected: str
) -> None:
    sound = make_row(emotion_probs={"happy": 1})
    if fields[FIELD] == {"happy": float("inf")}:  # JSON has no infinity, but numbers as large
        fields = {FIELD: {"happy": "LARGE"}}
    path = write_manifest(sound, make_row(**fields), sound | {"utterance_id": "last"})
    path.write_bytes(path.read_bytes().replace(b'"LARGE"', b"1e400"))
    with pytest.raises(DataProblemsError) as error:
        opened(path, label_map={"joy": "fun", "unclear": None, "other": None})
    problem = error.value.problems[0]
    assert str(problem).startswith(f"{path}:2: {FIELD}: {expected}")


def test_every_fault_of_a_soft_label_is_reported_and_none_of_the_label_is_lost() -> None:
    row = {"emotion": "hapy", FIELD: {"sda": "1", "happy": -1, "sad": 0.5}}
    found = [(fault.field, fault.code) for fault in label_faults(row, rules())]
    assert found == [
        ("emotion", "unknown-label"),
        (FIELD, "unknown-label"),
        (FIELD, "wrong-type"),
        (FIELD, "bad-probabilities"),
    ]


@pytest.mark.parametrize(
    "soft",
    [{"happy": 0.5, "sad": 0.5}, {"happy": 0.4995, "sad": 0.5005}, {"happy": 0.333, "sad": 0.333, "angry": 0.334}],
)
def test_a_label_among_the_most_probable_agrees(soft: dict[str, float]) -> None:
    assert label_faults({"emotion": "happy", FIELD: soft}, rules()) == []


def test_a_row_is_left_out_by_its_label_or_by_all_of_its_soft_label(
    make_row: MakeRow, write_manifest: WriteManifest
) -> None:
    path = write_manifest(
        make_row(emotion="unclear", emotion_probs={"unclear": 0.6, "happy": 0.4}),
        make_row(emotion=None, emotion_probs={"unclear": 0.7, "other": 0.3, "happy": 0}),
        make_row(emotion=None, emotion_probs={"unclear": 0, "happy": 1}),
    )
    manifest = opened(path, label_map={"unclear": None, "other": None})
    assert manifest.num_left_out == 2
    assert [utterance.soft_label for utterance in manifest] == [{"happy": 1.0}]


def test_a_row_needs_one_of_the_two(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    with pytest.raises(DataProblemsError, match="emotion: the row has no label"):
        opened(write_manifest(make_row(emotion=None, emotion_probs=None)))


@pytest.mark.parametrize("name", ["transcript", "emotion"])
def test_the_field_must_have_no_other_use(make_row: MakeRow, write_manifest: WriteManifest, name: str) -> None:
    expected = f"`soft_label_field` must name a field for soft labels, but is `{name}`, which has another use"
    with pytest.raises(DataError, match=expected):
        opened(write_manifest(make_row()), soft_label_field=name)


def test_the_check_takes_a_soft_label_for_a_label(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    source = ManifestSource(path=write_manifest(make_row(emotion=None, emotion_probs={"happy": 1})))
    reports = [check_split([source], labels=LABELS, soft_label_field=field) for field in (FIELD, None)]
    codes = [[one.fault.code for one in report.findings] for report in reports]
    assert codes == [["absent-audio"], ["absent-audio", "absent-label"]]


def spec_of(path: Path, **fields: Any) -> ExperimentSpec:
    parts = {"text": "syllable", "fusion": "text_only", "pooler": "mean", "sampler": "uniform"}
    data = {"train": path, "valid": path}
    return ExperimentSpec.model_validate({"labels": LABELS, "data": data, **parts, **fields})


def test_a_spec_names_the_field(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    path = write_manifest(make_row(emotion_probs={"happy": 0.75, "sad": 0.25}))
    softly = open_split(spec_of(path, soft_label_field=FIELD), "train", installed_catalogue())
    assert softly[0].soft_label == {"happy": 0.75, "sad": 0.25}
    assert open_split(spec_of(path), "train", installed_catalogue())[0].soft_label is None


def test_a_training_split_without_any_soft_label_is_refused(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    spec = spec_of(write_manifest(make_row()), soft_label_field="emotion_prob")
    with pytest.raises(DataError, match="no row of the training split has the field `emotion_prob`"):
        open_split(spec, "train", installed_catalogue())
    assert open_split(spec, "valid", installed_catalogue())[0].soft_label == {"happy": 1.0}


class Letters:
    def __call__(self, transcript: str, /) -> torch.Tensor:
        return torch.ones(len(transcript), 1, dtype=torch.int64)

    def tokens_cut(self, transcript: str, /) -> int:
        del transcript
        return 0


def test_a_batch_has_them_in_the_order_of_the_label_space(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    path = write_manifest(make_row(emotion_probs={"happy": 0.75, "sad": 0.25}), make_row(emotion="angry"))
    for manifest, labels, expected in (
        (opened(path), LABELS, [[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]]),
        (opened(path, soft_label_field=None), LABELS, None),
        (opened(path), None, None),
    ):
        frontends = Frontends(text=Letters(), audio=None)
        dataset = UtteranceDataset(manifest, frontends=frontends, labels=labels, channel="mono")
        batch = collate([dataset[0], dataset[1]])
        assert (None if batch.soft_labels is None else batch.soft_labels.tolist()) == expected
        assert (None if batch.labels is None else batch.labels.tolist()) == (None if labels is None else [1, 2])
        if batch.soft_labels is not None:
            assert batch.soft_labels.dtype == torch.float32
