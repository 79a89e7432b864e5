"""`vietmer compare` on runs that were trained here, evaluated on the way."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vietmer_core.cli.main import commands

pytestmark = pytest.mark.slow


def run_command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, [*map(str, arguments)], env={"COLUMNS": "200"})


def test_trained_runs_are_evaluated_grouped_and_compared(write_spec: Callable[..., Path]) -> None:
    runs = []
    for name, seed in (("fused", 0), ("fused", 1), ("voice", 0)):
        changes = {} if name == "fused" else {"fusion": {"kind": "audio_only", "dim": 8}}
        spec = write_spec(name=name, seed=seed, training={"epochs": 1, "device": "cpu"}, **changes)
        result = run_command("train", spec)
        assert result.exit_code == 0, result.output
        runs.append(Path(result.output.split("run folder: ")[1].splitlines()[0]))
    refused = run_command("compare", *runs)
    assert "is not evaluated on the split `test`" in str(refused.exception)
    result = run_command("compare", *runs, "--evaluate", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert [(system["name"], system["seeds"]) for system in report["systems"]] == [("fused", [0, 1]), ("voice", [0])]
    scores = json.loads((runs[2] / "evaluation" / "test" / "scores.json").read_text(encoding="utf-8"))
    (voice,) = [system["scores"]["macro_f1"] for system in report["systems"] if system["name"] == "voice"]
    assert voice["mean"] == pytest.approx(scores["macro_f1"])
    interval = scores["intervals"]["macro_f1"]
    assert (voice["interval"]["low"], voice["interval"]["high"]) == pytest.approx((interval["low"], interval["high"]))
    assert run_command("compare", *runs).exit_code == 0
