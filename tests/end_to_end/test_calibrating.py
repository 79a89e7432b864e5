"""`vietmer calibrate`, and what `evaluate` and `predict` make of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.calling import vietmer
from vietmer_core.errors import RunError
from vietmer_core.evaluation.calibration import BeforeOrAfter, Calibration, read_calibration, write_calibration
from vietmer_core.evaluation.prediction_files import read_rows
from vietmer_core.evaluation.temperature import with_temperature
from vietmer_core.inference.prediction import predict_utterance
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.training.run_folder import RunFolder


def calibrate_by_hand(run: Path, *, temperature: float = 2.0, **changed: Any) -> None:
    """A calibration with these values: the tiny corpus has too few utterances to fit one."""
    from vietmer_core.evaluation.calibration import weights_of

    folder, scores = RunFolder(run), BeforeOrAfter(nll=1.0, ece=0.1, brier=0.5)
    content: dict[str, Any] = {"data": "x", "epoch": 0, "num_utterances": 6, "before": scores, "after": scores}
    write_calibration(folder, Calibration(temperature=temperature, weights=weights_of(folder), **(content | changed)))


def probabilities(rows: list[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([list(row["probabilities"].values()) for row in rows])


def test_a_calibrated_run_scales_its_probabilities_and_keeps_its_predictions(run: Path) -> None:
    rows = run / "predictions" / "test.jsonl"
    before = json.loads(vietmer("evaluate", run, "--json").output)
    own = read_rows(rows)
    calibrate_by_hand(run)
    after = json.loads(vietmer("evaluate", run, "--json").output)
    scaled = read_rows(rows)
    np.testing.assert_allclose(probabilities(scaled), with_temperature(probabilities(own), 2.0))
    assert [row["predicted"] for row in scaled] == [row["predicted"] for row in own]
    assert all("abstain" not in row for row in scaled)
    assert (before["calibration"]["temperature"], after["calibration"]["temperature"]) == (None, 2.0)
    assert after["calibration"]["uncalibrated"] == before["calibration"]["uncalibrated"]
    assert after["loss"] == after["calibration"]["nll"] != before["loss"]
    assert after["confusion"] == before["confusion"]
    again = json.loads(vietmer("evaluate", run, "--uncalibrated", "--json").output)
    assert again["calibration"] == before["calibration"]
    assert read_rows(rows) == own


def test_predict_is_what_evaluate_writes_and_says_whether_it_is_calibrated(run: Path, workplace: Path) -> None:
    manifest = workplace / "corpus" / "test.jsonl"
    root = workplace / "corpus"
    assert "not calibrated" in vietmer("predict", run, manifest, "--root", root, "-o", workplace / "own.jsonl").output
    calibrate_by_hand(run, abstain={"threshold": 1.0, "coverage": 0.0, "risk": 0.0, "num_kept": 1})
    printed = vietmer("predict", run, manifest, "--root", root, "-o", workplace / "rows.jsonl").output
    assert "calibrated, temperature 2.000" in printed
    vietmer("evaluate", run)
    evaluated = read_rows(run / "predictions" / "test.jsonl")
    rows = read_rows(workplace / "rows.jsonl")
    np.testing.assert_allclose(probabilities(rows), probabilities(evaluated))
    assert all(row["abstain"] for row in (*rows, *evaluated))
    assert [row["predicted"] for row in rows] == [row["predicted"] for row in read_rows(workplace / "own.jsonl")]


def test_one_utterance_abstains_below_the_threshold_and_keeps_its_prediction(run: Path, workplace: Path) -> None:
    wav = workplace / "corpus" / "audio" / "test_00.wav"
    own = predict_utterance(TrainedRun.load(run), wav_path=wav, transcript="tôi buồn")
    assert not own.abstain
    calibrate_by_hand(run, abstain={"threshold": 1.0, "coverage": 0.0, "risk": 0.0, "num_kept": 1})
    unsure = predict_utterance(TrainedRun.load(run), wav_path=wav, transcript="tôi buồn")
    assert (unsure.label, unsure.abstain, unsure.reason) == (own.label, True, "")
    arguments = ("predict", run, wav, "--transcript", "tôi buồn")
    assert "abstains: less sure than 1.000" in vietmer(*arguments).output
    found = json.loads(vietmer(*arguments, "--json").output)
    assert (found["abstain"], found["calibrated"]) == (True, True)
    found = json.loads(vietmer(*arguments, "--json", "--uncalibrated").output)
    assert ("abstain" in found, found["calibrated"]) == (False, False)


def test_weights_of_a_continued_run_refuse_the_old_calibration(run: Path) -> None:
    calibrate_by_hand(run)
    vietmer("train", "--resume", run, "--set", "training.epochs=6")
    with pytest.raises(RunError, match="calibration is of other weights"):
        vietmer("evaluate", run)
    assert vietmer("evaluate", run, "--uncalibrated").exit_code == 0


def test_a_temperature_is_fitted_on_validation_and_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vietmer_core.inference.calibrating.fit_temperature", lambda *_: 1.5)
    printed = vietmer("calibrate", run, "--coverage", "0.5").output
    assert "temperature 1.500" in printed
    assert "6 utterances are few" in printed
    found = read_calibration(RunFolder(run))
    assert found is not None
    assert (found.temperature, found.num_utterances, found.epoch) == (1.5, 6, 0)
    assert found.abstain is not None
    assert found.abstain.coverage >= 0.5
    assert "abstains" in vietmer("evaluate", run).output
    for name in ("uncalibrated", "calibrated"):
        assert (run / "evaluation" / "valid" / f"reliability_{name}.png").is_file()


def test_a_split_on_which_no_temperature_fits_is_one_sentence(workplace: Path) -> None:
    vietmer("train", workplace / "spec.yaml", "--set", "training.epochs=8", "--runs", workplace / "runs")
    (run,) = (path for path in (workplace / "runs").iterdir() if path.is_dir())
    with pytest.raises(RunError, match=r"no temperature fits: .* without an error"):
        vietmer("calibrate", run)
    assert not (run / "calibration.json").exists()


def test_two_wishes_for_one_threshold_are_refused(run: Path) -> None:
    result = vietmer("calibrate", run, "--coverage", "0.9", "--max-risk", "0.1")
    assert result.exit_code == 2
    assert "not both" in result.output
