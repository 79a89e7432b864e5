"""`calibration.json`: read back, refused where it is damaged or of other weights."""

import json
from pathlib import Path
from typing import Any

import pytest

from vietmer_core.errors import RunError
from vietmer_core.evaluation.calibration import (
    AbstainRule,
    BeforeOrAfter,
    Calibration,
    read_calibration,
    weights_of,
    write_calibration,
)
from vietmer_core.training.run_folder import RunFolder

SCORES = BeforeOrAfter(nll=1.0, ece=0.1, brier=0.5)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    found = RunFolder(tmp_path)
    found.best_checkpoint.parent.mkdir()
    found.best_checkpoint.write_bytes(b"weights")
    return found


def calibration_of(folder: RunFolder, **changed: Any) -> Calibration:
    content: dict[str, Any] = {
        "temperature": 1.7,
        "data": "abc",
        "epoch": 4,
        "weights": weights_of(folder),
        "num_utterances": 200,
        "before": SCORES,
        "after": SCORES,
    }
    return Calibration(**(content | changed))


def test_a_run_that_was_never_calibrated_has_none(folder: RunFolder) -> None:
    assert read_calibration(folder) is None


@pytest.mark.parametrize(
    "rule", [None, AbstainRule(threshold=0.6, max_risk=0.1, coverage=0.8, risk=0.09, num_kept=160)]
)
def test_a_calibration_is_read_back(folder: RunFolder, rule: AbstainRule | None) -> None:
    written = calibration_of(folder, abstain=rule)
    write_calibration(folder, written)
    assert read_calibration(folder) == written
    assert written.threshold == (None if rule is None else 0.6)


def test_one_of_other_weights_is_refused(folder: RunFolder) -> None:
    write_calibration(folder, calibration_of(folder))
    folder.best_checkpoint.write_bytes(b"weights of a later epoch")
    with pytest.raises(RunError, match=r"of other weights \(epoch 5\).*vietmer calibrate .*--uncalibrated"):
        read_calibration(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0}, "`temperature`"),
        ({"temperature": "hot"}, "`temperature`"),
        ({"split": "test"}, "`split`"),
        ({"format": 2}, "`format`"),
        ({"abstain": {"threshold": 3}}, "`abstain.threshold`"),
        ({"unheard": 1}, "`unheard`"),
    ],
)
def test_a_damaged_field_is_named(folder: RunFolder, change: dict[str, Any], message: str) -> None:
    path = write_calibration(folder, calibration_of(folder))
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(RunError, match=f"is damaged: {message}.*--uncalibrated"):
        read_calibration(folder)


@pytest.mark.parametrize("content", ["", "[1]", '{"temperature": 1.2'])
def test_a_file_that_is_none_is_refused(folder: RunFolder, content: str) -> None:
    (folder.path / "calibration.json").write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=r"calibration\.json.*--uncalibrated"):
        read_calibration(folder)
