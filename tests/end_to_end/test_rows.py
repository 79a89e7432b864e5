"""Rows that lack a modality are trained on and predicted; rows that cannot be used are named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from vietmer_core.cli.main import commands
from vietmer_core.errors import EXIT_FOUND, EXIT_OK, DataError


def vietmer(*arguments: object, code: int = EXIT_OK) -> Result:
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def change(path: Path, *changes: dict[str, Any]) -> None:
    """Change the first rows of a manifest."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    changed = [{**row, **more} for row, more in zip(rows, changes, strict=False)]
    lines = [json.dumps(row, ensure_ascii=False) for row in [*changed, *rows[len(changed) :]]]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def predicted(run: Path, workplace: Path, *, code: int = EXIT_OK) -> list[dict[str, Any]]:
    """The row for each row of the test split; what is said about them follows."""
    said = vietmer("predict", run, workplace / "corpus" / "test.jsonl", "--json", code=code).output
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


NO_AUDIO = {"wav_path": None, "start": None, "end": None}
NO_TEXT = {"transcript": None}


def training(**changes: Any) -> dict[str, Any]:
    return {"training": {"epochs": 2, "learning_rate": 0.01, "device": "cpu", "dropout": "utterance", **changes}}


def test_rows_that_lack_a_modality_are_trained_on_and_predicted(
    workplace: Path, write_spec: Callable[..., Path]
) -> None:
    for split in ("train", "valid", "test"):
        change(workplace / "corpus" / f"{split}.jsonl", NO_AUDIO, NO_TEXT)
    vietmer("train", write_spec(**training()))
    (run,) = (workplace / "runs").iterdir()
    rows = predicted(run, workplace)
    assert all(row["predicted"] in {"angry", "sad"} for row in rows)


def test_predict_abstains_where_a_row_cannot_be_used_and_says_why(workplace: Path) -> None:
    vietmer("train", workplace / "spec.yaml")
    (run,) = (workplace / "runs").iterdir()
    soundfile.write(workplace / "corpus" / "silence.wav", np.zeros(8000), 16_000)
    silent = {"wav_path": "silence.wav", "start": None, "end": None}
    change(workplace / "corpus" / "test.jsonl", silent, {"end": 0.02})
    rows = predicted(run, workplace, code=EXIT_FOUND)
    assert [row["predicted"] is None for row in rows] == [True, True, *[False] * (len(rows) - 2)]
    assert "test.jsonl:1: the audio must hold sound, but each of its 8000 samples is 0 instead." in rows[0]["reason"]
    assert "lasts 20.0 ms instead. At least 25 ms are needed." in rows[1]["reason"]


def test_training_stops_at_silence_with_its_place(workplace: Path) -> None:
    soundfile.write(workplace / "corpus" / "silence.wav", np.zeros(8000), 16_000)
    change(workplace / "corpus" / "train.jsonl", {"wav_path": "silence.wav", "start": None, "end": None})
    with pytest.raises(DataError, match=r"train\.jsonl:1: the audio must hold sound.* set its `wav_path` to null\."):
        vietmer("train", workplace / "spec.yaml")
