"""Risk against coverage, and thresholds."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.evaluation.drawn import outcomes
from vietmer_core.errors import RunError
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.risk_coverage import risk_at, risk_coverage

CONFIDENCE = np.array([0.9, 0.8, 0.8, 0.4, 0.3])
HITS = np.array([True, True, False, False, True])


def test_the_curve_of_five_utterances() -> None:
    curve = risk_coverage(CONFIDENCE, HITS)
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.4, 0.3]
    assert curve.coverage == pytest.approx([0.2, 0.6, 0.8, 1.0])
    assert curve.risk == pytest.approx([0, 1 / 3, 2 / 4, 2 / 5])
    assert curve.aurc == pytest.approx((0 + 0.5 / 2 + 1 / 3 + 2 / 4 + 2 / 5) / 5)


@given(outcomes())
def test_every_point_is_what_its_threshold_does(found: Outcomes) -> None:
    curve = risk_coverage(found.confidence, found.hits)
    for point in curve.points():
        assert (point.coverage, point.risk) == pytest.approx(risk_at(found.confidence, found.hits, point.threshold))
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(1 - found.hits.mean())


def area_in_the_order_given(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> float:
    order = np.argsort(-confidence, kind="stable")
    return float(((~hits[order]).cumsum() / np.arange(1, len(hits) + 1)).mean())


def our_area(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> float:
    return risk_coverage(confidence, hits).aurc


@pytest.mark.parametrize(("area", "holds"), [(our_area, True), (area_in_the_order_given, False)])
def test_the_order_of_the_utterances_has_no_effect(
    area: Callable[[NDArray[np.float64], NDArray[np.bool_]], float], *, holds: bool
) -> None:
    @given(outcomes(), st.integers(0, 100))
    def check(found: Outcomes, seed: int) -> None:
        other = found.chosen(np.random.default_rng(seed).permutation(len(found)))
        assert area(found.confidence, found.hits) == pytest.approx(area(other.confidence, other.hits))

    if holds:
        check()
    else:
        with pytest.raises(AssertionError):
            check()


def test_confidence_that_tells_nothing_has_the_area_of_the_error_rate() -> None:
    assert our_area(np.full(10, 0.5), np.arange(10) < 7) == pytest.approx(0.3)


@given(outcomes(), st.floats(0, 1))
def test_a_coverage_is_reached_by_the_highest_threshold_that_does(found: Outcomes, wanted: float) -> None:
    curve = risk_coverage(found.confidence, found.hits)
    point = curve.at_coverage(wanted)
    assert point.coverage >= wanted - 1e-9
    higher = curve.thresholds[curve.thresholds > point.threshold]
    assert all(risk_at(found.confidence, found.hits, threshold)[0] < wanted for threshold in higher)


@given(outcomes(), st.floats(0, 1))
def test_a_risk_is_kept_at_the_largest_coverage_that_does(found: Outcomes, wanted: float) -> None:
    curve = risk_coverage(found.confidence, found.hits)
    if curve.risk.min() > wanted:
        with pytest.raises(RunError, match="the lowest is"):
            curve.at_risk(wanted)
        return
    point = curve.at_risk(wanted)
    assert point.risk <= wanted
    assert all(risk > wanted for risk in curve.risk[curve.coverage > point.coverage])


def test_a_long_curve_is_thinned_from_end_to_end() -> None:
    confidence = np.linspace(0.2, 1, 5000)
    curve = risk_coverage(confidence, np.arange(5000) % 3 > 0)
    points = curve.points()
    assert 190 <= len(points) <= 200
    assert points[0].coverage == curve.coverage[0]
    assert points[-1].coverage == 1


def test_nothing_kept_has_no_risk() -> None:
    assert risk_at(CONFIDENCE, HITS, 0.95) == (0.0, None)


def test_nothing_has_no_curve() -> None:
    with pytest.raises(ValueError, match="at least one"):
        risk_coverage(np.empty(0), np.empty(0, bool))
