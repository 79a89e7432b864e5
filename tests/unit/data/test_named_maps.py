"""A named label map maps each row by its corpus; what it does not hold is a fault with its line."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.data.check import check_split
from vietmer_core.data.labels import RowRules
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.errors import DataProblemsError
from vietmer_core.label_maps import label_map, named_label_map

MakeRow = Callable[..., dict[str, Any]]
WriteManifest = Callable[..., Path]

MER5 = named_label_map("mer5")


def opened(path: Path, **settings: Any) -> Manifest:
    return Manifest.open(
        [ManifestSource(path=path, named_map=MER5)], labels=MER5.labels, require_labels=True, **settings
    )


def test_rows_of_several_corpora_are_mapped_each_by_its_own(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    rows = [
        make_row(corpus="visec", emotion="happy"),
        make_row(corpus="meld", emotion="joy"),
        make_row(corpus="meld", emotion="surprise"),
        make_row(corpus="vsmec", emotion="enjoyment"),
        make_row(corpus="iemocap", emotion="excited"),
    ]
    manifest = pickle.loads(pickle.dumps(opened(write_manifest(*rows))))  # noqa: S301  # its own bytes
    assert [utterance.label for utterance in manifest] == ["happiness"] * 4
    assert manifest.num_left_out == 1
    assert manifest.label_names == MER5.labels


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"corpus": "visek"},
            r":1: corpus: label map `mer5` \(version 1\) has no corpus `visek`; .*Did you mean `visec`",
        ),
        ({}, r":1: corpus: the row names no corpus, by which label map `mer5` \(version 1\) is chosen. Add the field"),
        ({"corpus": 5}, r":1: corpus: the row names no corpus"),
        (
            {"corpus": "visec", "emotion": "hapy"},
            r":1: emotion: `hapy` is no label of `visec` in label map .*`happy`\?",
        ),
    ],
)
def test_what_the_map_does_not_hold_is_a_fault(
    make_row: MakeRow, write_manifest: WriteManifest, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataProblemsError, match=sentence):
        opened(write_manifest(make_row(**fields)))


def test_a_row_without_a_label_needs_no_corpus(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    path = write_manifest(make_row(emotion=None))
    manifest = Manifest.open([ManifestSource(path=path, named_map=MER5)], require_labels=False)
    assert manifest[0].label is None


def test_check_reports_the_corpus_with_its_code(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    path = write_manifest(make_row(corpus="visec", emotion="happy"), make_row(corpus="nowhere"))
    report = check_split([ManifestSource(path=path, named_map=MER5)], labels=MER5.labels)
    assert [(one.line, one.fault.code) for one in report.of_severity("error")] == [(2, "unknown-corpus")]


def test_soft_labels_are_mapped_by_the_corpus(make_row: MakeRow, write_manifest: WriteManifest) -> None:
    soft = {"happy": 0.5, "excited": 0.25, "neutral": 0.25}
    row = make_row(corpus="iemocap", emotion="happy", emotion_probs=soft)
    manifest = opened(write_manifest(row), soft_label_field="emotion_probs")
    assert manifest[0].soft_label == {"happiness": 0.75, "neutral": 0.25}
    partly = make_row(corpus="iemocap", emotion="happy", emotion_probs={"happy": 0.5, "frustrated": 0.5})
    with pytest.raises(DataProblemsError, match=r"0\.5 of the probability goes to `frustrated`"):
        opened(write_manifest(partly, name="partly.jsonl"), soft_label_field="emotion_probs")


def test_a_named_map_does_what_the_mapping_of_its_corpus_does() -> None:
    """For every row that names a corpus of the map, rules by name equal rules by mapping."""

    @given(corpus=st.sampled_from(sorted(MER5.corpora)), data=st.data())
    def holds(corpus: str, data: st.DataObject) -> None:
        mapping = label_map("mer5", corpus)
        label = data.draw(st.sampled_from(sorted(mapping)))
        row = {"emotion": label, "corpus": corpus}
        named, plain = rules(named_map=MER5), rules(label_map=mapping)
        assert named.label_of(row) == plain.label_of(row) == mapping[label]
        assert named.is_left_out(row) == plain.is_left_out(row) == (mapping[label] is None)

    holds()


def rules(**settings: Any) -> RowRules:
    fixed = {"label_field": "emotion", "labels": MER5.labels, "require_labels": True, "label_map": {}}
    return RowRules(**{**fixed, **settings})
