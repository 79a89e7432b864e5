import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from vietmer_core.audit import verdicts
from vietmer_core.audit.verdicts import verdict_of_run
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.data.manifest import ManifestSource
from vietmer_core.spec import ExperimentSpec

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
WriteSplits = Callable[[Mapping[str, Sequence[Row]]], dict[str, list[ManifestSource]]]


def spec_of(sources: Mapping[str, Sequence[ManifestSource]], **data: Any) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "labels": ["angry", "happy", "neutral", "sad"],
            "data": {**{name: str(files[0].path) for name, files in sources.items()}, **data},
            "text": "syllable",
            "fusion": "text_only",
            "pooler": "mean",
            "sampler": "uniform",
        }
    )


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("audited again")


@pytest.fixture
def leaking(write_splits: WriteSplits, clean_rows: Rows) -> ExperimentSpec:
    splits = {name: clean_rows(name) for name in ("train", "valid", "test")}
    splits["test"][0]["speaker_id"] = splits["train"][0]["speaker_id"]
    return spec_of(write_splits(splits))


def test_a_verdict_is_made_once_for_the_same_data(
    leaking: ExperimentSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = installed_catalogue()
    found = verdict_of_run(leaking, catalogue, runs_root=tmp_path / "runs")
    assert found.verdict == "leak"
    assert found.leaks == ("1 of 16 rows of test has a speaker that stands in train, too (1 speaker).",)
    path = tmp_path / "runs" / ".audits" / f"{found.fingerprint}.json"
    assert json.loads(path.read_bytes())["report"]["verdict"] == "leak"
    monkeypatch.setattr(verdicts, "audit_splits", refuse)
    assert verdict_of_run(leaking, catalogue, runs_root=tmp_path / "runs") == found
    with pytest.raises(AssertionError, match="audited again"):
        verdict_of_run(leaking, catalogue, runs_root=tmp_path / "others")


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"verdict": "clean", "leaks": ["x"], "cues": []}', b"\xff"])
def test_a_damaged_verdict_is_made_again(leaking: ExperimentSpec, tmp_path: Path, damage: bytes) -> None:
    catalogue = installed_catalogue()
    found = verdict_of_run(leaking, catalogue, runs_root=tmp_path)
    path = tmp_path / ".audits" / f"{found.fingerprint}.json"
    path.write_bytes(damage)
    assert verdict_of_run(leaking, catalogue, runs_root=tmp_path) == found
    assert json.loads(path.read_bytes())["fingerprint"] == found.fingerprint


def test_other_rows_and_label_maps_have_another_fingerprint(
    write_splits: WriteSplits, clean_rows: Rows, tmp_path: Path
) -> None:
    catalogue = installed_catalogue()
    splits = {name: clean_rows(name) for name in ("train", "valid")}
    sources = write_splits(splits)
    one = verdict_of_run(spec_of(sources), catalogue, runs_root=tmp_path)
    assert one.verdict == "clean"
    mapped = {"path": str(sources["valid"][0].path), "label_map": {"sad": None}}
    other = verdict_of_run(spec_of(sources, valid=mapped), catalogue, runs_root=tmp_path)
    splits["valid"][0]["transcript"] = "một câu khác hẳn"
    write_splits(splits)
    third = verdict_of_run(spec_of(sources), catalogue, runs_root=tmp_path)
    assert len({one.fingerprint, other.fingerprint, third.fingerprint}) == 3


def test_another_named_label_map_is_audited_again(write_splits: WriteSplits, clean_rows: Rows, tmp_path: Path) -> None:
    catalogue, found = installed_catalogue(), set()
    sources = write_splits({name: [{**row, "corpus": "c"} for row in clean_rows(name)] for name in ("train", "valid")})
    for target in ("sad", None):
        corpora = {"c": {"angry": "angry", "happy": "happy", "neutral": "neutral", "sad": target}}
        mapped = {
            "path": str(sources["valid"][0].path),
            "label_map": {"named": "own", "version": 1, "corpora": corpora},
        }
        found.add(verdict_of_run(spec_of(sources, valid=mapped), catalogue, runs_root=tmp_path).fingerprint)
    assert len(found) == 2


def test_a_folder_that_cannot_be_written_costs_no_verdict(leaking: ExperimentSpec, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    assert verdict_of_run(leaking, installed_catalogue(), runs_root=tmp_path / "runs").verdict == "leak"


def test_a_verdict_is_what_the_scores_keep(leaking: ExperimentSpec, tmp_path: Path) -> None:
    found = verdict_of_run(leaking, installed_catalogue(), runs_root=tmp_path)
    assert {"verdict", "leaks", "cues", "fingerprint"} == set(found.as_json())
    assert json.loads(json.dumps(found.as_json())) == found.as_json()
