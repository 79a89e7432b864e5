"""Pictures of scores: what they show, and that any scores can be drawn."""

from pathlib import Path

import numpy as np
from hypothesis import given

from tests.unit.evaluation.drawn import outcomes, some_outcomes
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.pictures import confusion_figure, reliability_figure, risk_coverage_figure, save_figure
from vietmer_core.evaluation.scored_split import score_outcomes


@given(outcomes())
def test_any_scores_can_be_drawn(found: Outcomes) -> None:
    scored = score_outcomes(found, seed=0)
    bars = reliability_figure(scored.calibration, title="x").axes[0].containers[0]
    filled = [part.accuracy for part in scored.calibration.reliability if part.accuracy is not None]
    np.testing.assert_allclose([bar.get_height() for bar in bars], filled)
    (curve, *_) = risk_coverage_figure(scored.curve, title="x").axes[0].lines
    assert np.asarray(curve.get_xdata())[-1] == 1


def test_pictures_are_written(tmp_path: Path) -> None:
    scored = score_outcomes(some_outcomes(0), seed=0)
    point = {"threshold": 0.7, "coverage": 0.8, "risk": 0.2}
    figures = {
        "confusion": confusion_figure(scored.scores, title="a run: test"),
        "reliability": reliability_figure(scored.calibration, title="a run: test", temperature=2.0),
        "risk": risk_coverage_figure(scored.curve, title="a run: test", abstain=point),
    }
    for name, figure in figures.items():
        save_figure(figure, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
