"""What stands beside the scores of `vietmer evaluate`: the split's protocol and the audit's verdict."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.end_to_end.calling import vietmer
from vietmer_core.errors import RunError
from vietmer_core.evaluation.predictions import NOT_FINITE
from vietmer_core.training.weights import load_model_state


def test_protocol_and_verdict_stand_beside_the_scores(run: Path, workplace: Path) -> None:
    manifest = workplace / "corpus" / "test.jsonl"
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    text = "".join(json.dumps(row | {"split_protocol": "speaker-disjoint, seed 0"}) + "\n" for row in rows)
    manifest.write_text(text, encoding="utf-8")
    printed = vietmer("evaluate", run).output
    scores = json.loads((run / "evaluation" / "test" / "scores.json").read_text(encoding="utf-8"))
    assert "protocol: speaker-disjoint, seed 0" in printed
    assert scores["protocol"] == "speaker-disjoint, seed 0"
    assert f"audit: {scores['audit']['verdict']}" in printed
    assert scores["audit"]["verdict"] in ("clean", "leak")
    assert all(sentence in printed for sentence in (*scores["audit"]["leaks"], *scores["audit"]["cues"]))
    assert len(list((workplace / "runs" / ".audits").glob("*.json"))) == 1


def test_without_an_audit_the_verdict_says_so(run: Path, workplace: Path) -> None:
    scores = json.loads(vietmer("evaluate", run, "--no-audit", "--json").output)
    assert scores["audit"] == {"verdict": "not audited", "leaks": [], "cues": []}
    (workplace / "corpus" / "train.jsonl").unlink()
    printed = vietmer("evaluate", run).output
    assert "audit: not audited: " in printed
    assert "train.jsonl" in printed


def test_probabilities_that_are_no_numbers_are_never_scored(
    run: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_broken(model: torch.nn.Module, state: Mapping[str, Any], *, path: Path) -> None:
        load_model_state(model, state, path=path)
        with torch.no_grad():
            for weights in model.parameters():
                weights.fill_(float("nan"))

    monkeypatch.setattr("vietmer_core.inference.trained_run.load_model_state", load_broken)
    for command in (("evaluate", run, "--no-audit"), ("calibrate", run), ("reliance", run, "--only", "marks")):
        with pytest.raises(RunError, match="the model gives no finite probabilities of"):
            vietmer(*command)
    assert not (run / "predictions" / "test.jsonl").exists()
    written = workplace / "predicted.jsonl"
    vietmer("predict", run, workplace / "corpus" / "test.jsonl", "--output", written)
    rows = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    assert {(row["predicted"], row["reason"]) for row in rows} == {(None, NOT_FINITE)}


def test_scores_hold_what_a_reader_needs_to_believe_them(run: Path) -> None:
    scores = json.loads(vietmer("evaluate", run, "--no-audit", "--json").output)
    assert set(scores["intervals"]) == {"macro_f1", "balanced_accuracy", "accuracy", "weighted_f1", "loss", "brier"}
    assert scores["intervals"]["macro_f1"] == scores["macro_f1_interval"]
    assert scores["macro_f1_interval"]["method"] == "jackknife-t"
    assert scores["macro_f1_interval"]["too_few"] is True
    assert scores["calibration"]["nll"] == scores["loss"]
    assert sum(part["count"] for part in scores["calibration"]["reliability"]) == scores["num_utterances"]
    assert scores["risk_coverage"][-1]["coverage"] == 1
    assert scores["risk_coverage"][-1]["risk"] == pytest.approx(1 - scores["accuracy"])
