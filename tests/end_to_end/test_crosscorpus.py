"""`vietmer crosscorpus` on two tiny corpora: what is there is not computed again, what fails does not stop the rest."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vietmer_core.cli.main import commands
from vietmer_core.crosscorpus import running

pytestmark = pytest.mark.slow


def run_matrix(*arguments: str) -> Result:
    corpora = ["--corpus", "one:visec=corpus", "--corpus", "two:ravdess=other"]
    given = ["crosscorpus", "spec.yaml", *corpora, "--map", "mer5", "--set", "training.epochs=1", *arguments]
    return CliRunner().invoke(commands, given, env={"COLUMNS": "200"})


@pytest.fixture
def two_corpora(workplace: Path) -> Path:
    """The tiny corpus and a copy whose audio is missing from one test row."""
    shutil.copytree(workplace / "corpus", workplace / "other")
    return workplace


def test_a_matrix_is_trained_once_and_read_again(two_corpora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_matrix("--seeds", "0,1", "--no-audit")
    assert result.exit_code == 0, result.output
    folder = two_corpora / "crosscorpus"
    report = json.loads((folder / "matrix.json").read_text(encoding="utf-8"))
    assert [(entry["train"], entry["test"]) for entry in report["entries"]] == [
        *(("one", "one"), ("one", "two"), ("two", "one"), ("two", "two"))
    ]
    assert all(entry["labels"] == ["angry", "sadness"] for entry in report["entries"])
    assert report["entries"][1]["scores"]["seeds"] == [0, 1]
    rows = list(csv.DictReader((folder / "matrix.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["num_utterances"] for row in rows] == ["6"] * 4
    for name in ("matrix.md", "matrix.tex", "macro_f1.png", "balanced_accuracy.png"):
        assert (folder / name).stat().st_size > 0
    monkeypatch.setattr(running, "start_run", None)
    monkeypatch.setattr(running, "predict_of_split", None)
    again = run_matrix("--seeds", "0,1", "--no-audit", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == report
    for path in (two_corpora / "corpus", two_corpora / "other"):
        path.rename(path.with_name(f"{path.name}2"))
    moved = CliRunner().invoke(
        commands,
        [
            *("crosscorpus", "spec.yaml", "--corpus", "x:visec=corpus2", "--corpus", "y:ravdess=other2"),
            *("--map", "mer5", "--set", "training.epochs=1", "--seeds", "1,0", "--no-audit", "--json"),
        ],
    )
    assert moved.exit_code == 0, moved.output
    scores = [entry["scores"]["scores"] for entry in json.loads(moved.stdout)["entries"]]
    assert scores == [entry["scores"]["scores"] for entry in report["entries"]]


def test_a_failed_cell_says_why_and_the_rest_goes_on(two_corpora: Path) -> None:
    (two_corpora / "other" / "test.jsonl").unlink()
    result = run_matrix("--no-audit", "--json")
    assert result.exit_code == 1, result.output
    entries = json.loads(result.stdout)["entries"]
    assert [entry["scores"] is None for entry in entries] == [False, True, False, True]
    assert "there is no such manifest" in entries[1]["failures"][0]
    shutil.copy(two_corpora / "corpus" / "test.jsonl", two_corpora / "other" / "test.jsonl")
    assert run_matrix("--no-audit").exit_code == 0


def test_leaks_between_corpora_are_said(two_corpora: Path) -> None:
    shutil.copy(two_corpora / "corpus" / "train.jsonl", two_corpora / "other" / "test.jsonl")
    result = run_matrix("--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert {entry["train"]: entry["audit"] for entry in report["entries"] if entry["test"] == "two"}["one"] == "leak"
    assert any("leaks from training to test" in note for note in report["notes"])


def test_mistakes_are_found_before_anything_is_computed(two_corpora: Path) -> None:
    for arguments in (("--seeds", "a"), ("--seeds", "1,1"), ("--set", "head.kind=nope")):
        assert run_matrix(*arguments).exit_code != 0
    assert not (two_corpora / "crosscorpus").exists()
