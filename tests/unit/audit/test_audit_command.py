import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from vietmer_core.cli import data_audit
from vietmer_core.data.manifest import ManifestSource
from vietmer_core.errors import DataError

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
WriteSplits = Callable[[Mapping[str, Sequence[Row]]], dict[str, list[ManifestSource]]]


def run(*arguments: object) -> Result:
    application = typer.Typer()
    application.command("audit", epilog=data_audit.EXIT_CODES)(data_audit.audit)
    return CliRunner().invoke(application, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def paths(write_splits: WriteSplits, clean_rows: Rows) -> dict[str, Path]:
    splits = {name: clean_rows(name) for name in ("train", "valid", "test")}
    splits["test"][0]["speaker_id"] = splits["train"][0]["speaker_id"]
    return {name: sources[0].path for name, sources in write_splits(splits).items()}


def test_a_leak_leaves_with_1_and_is_printed(paths: dict[str, Path]) -> None:
    result = run("--train", paths["train"], "--valid", paths["valid"], "--test", paths["test"])
    assert result.exit_code == 1
    assert "train 16 rows, valid 16 rows, test 16 rows; no audio." in result.stdout
    assert "leak [shared-speaker] 1 of 16 rows of test has a speaker that stands in train, too" in result.stdout
    assert f"train_000 ({paths['train']}:1) and test_000 ({paths['test']}:1)" in result.stdout
    assert "verdict: leak (1 leak, 0 cues, 0 notes)" in result.stdout


def test_splits_without_a_leak_leave_with_0(paths: dict[str, Path]) -> None:
    assert run("--train", paths["train"], "--valid", paths["valid"]).exit_code == 0
    result = run(paths["train"], "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["verdict"], document["splits"]["train"]["rows"]) == ("clean", 16)


def test_files_without_a_split_are_one(paths: dict[str, Path]) -> None:
    result = run(paths["train"], paths["test"], "--json", "--no-audio")
    assert result.exit_code == 0  # a speaker twice in one split is no leak
    assert list(json.loads(result.stdout)["splits"]) == ["files"]


def test_a_spec_names_the_splits(paths: dict[str, Path], tmp_path: Path) -> None:
    document = {
        "labels": ["angry", "happy", "neutral"],
        "data": {
            "train": {"path": paths["train"].name, "label_map": {"sad": None}},
            "valid": {"path": paths["test"].name, "label_map": {"sad": None}},
        },
        "text": "syllable",
        "fusion": "text_only",
        "pooler": "mean",
        "sampler": "uniform",
    }
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(document), encoding="utf-8")
    result = run("--spec", spec, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["splits"]["valid"]["rows"] == 12
    assert run(paths["train"], "--spec", spec).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name a manifest, the splits"),
        (["train.jsonl", "--test", "test.jsonl"], "stands alone, beside `--test`"),
        (["--train", "train.jsonl", "--spec", "s.yaml"], "either `--spec` or `--train`, not both"),
        (["--train", "train.jsonl", "--train", "train.jsonl"], "named twice"),
        (["train.jsonl", "--label-field", "end"], "`end` has another use"),
        (["train.jsonl", "--channel", "left"], "must be `mono`, `mix` or a number"),
    ],
)
def test_an_unusable_command_line_leaves_with_2(
    paths: dict[str, Path], arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(paths["train"].parent)
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.replace("│", " ").split())


def test_a_manifest_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    result = run(tmp_path / "none.jsonl")
    assert isinstance(result.exception, DataError)
    assert "does not exist" in str(result.exception)


def test_help_names_every_exit_code() -> None:
    epilog = " ".join(run("--help").stdout.split("Exit codes: ")[1].split())
    assert [int(part.split()[0]) for part in epilog.split("; ")] == [0, 1, 2, 3, 4, 130]


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("numpy", "rich", "scipy", "soundfile", "torch", "pydantic")
    code = f"import sys, vietmer_core.cli.data_audit; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
