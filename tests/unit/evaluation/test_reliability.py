"""Scores of probabilities, against plain formulas and scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss

from tests.unit.evaluation.drawn import outcomes
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.reliability import (
    NUM_BINS,
    adaptive_calibration_error,
    brier_by_utterance,
    classwise_calibration_error,
    expected_calibration_error,
    probability_scores,
    reliability_bins,
)


def plain_error(confidence: NDArray[np.float64], target: NDArray[np.float64], bins: list[NDArray[np.bool_]]) -> float:
    filled = [rows for rows in bins if rows.any()]
    return float(sum(rows.sum() / len(target) * abs(target[rows].mean() - confidence[rows].mean()) for rows in filled))


def equal_bins(values: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
    """(0, 1/15], (1/15, 2/15], …, with 0 in the first."""
    number = np.ceil(values * NUM_BINS)
    return [(number == index) | ((number == 0) & (index == 1)) for index in range(1, NUM_BINS + 1)]


@given(outcomes())
def test_calibration_errors_equal_the_plain_formulas(found: Outcomes) -> None:
    scores = probability_scores(found.probabilities, found.truth)
    hits = found.hits.astype(float)
    assert scores.ece == pytest.approx(plain_error(found.confidence, hits, equal_bins(found.confidence)))
    by_class = [
        plain_error(values, (found.truth == index).astype(float), equal_bins(values))
        for index, values in enumerate(found.probabilities.T)
    ]
    assert scores.classwise_ece == pytest.approx(np.mean(by_class))
    assert classwise_calibration_error(found.probabilities, found.truth) == scores.classwise_ece


@given(outcomes())
def test_loss_and_brier_score_equal_those_of_scikit_learn(found: Outcomes) -> None:
    scores = probability_scores(found.probabilities, found.truth)
    classes = range(len(found.labels))
    if found.probabilities.min() > 1e-12:  # scikit-learn's own floor is that of the type's precision
        assert scores.nll == pytest.approx(log_loss(found.truth, found.probabilities, labels=classes))
    one_by_one = [brier_score_loss(found.truth == index, found.probabilities[:, index]) for index in classes]
    assert scores.brier == pytest.approx(sum(one_by_one))
    assert 0 <= scores.brier <= 2


def test_the_adaptive_error_has_bins_of_equally_many() -> None:
    confidence = np.linspace(0.3, 0.9, 60)
    hits = np.random.default_rng(0).random(60) < confidence
    bins = [np.arange(60) // 4 == index for index in range(15)]
    assert adaptive_calibration_error(confidence, hits) == pytest.approx(
        plain_error(confidence, hits.astype(float), bins)
    )


def without_shared_ties(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> float:
    """Cuts a run of equal confidences where it happens to stand."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, NUM_BINS)
    return float(sum(abs((confidence[part] - hits[part]).sum()) for part in parts) / len(hits))


@pytest.mark.parametrize(
    ("error", "holds"),
    [(expected_calibration_error, True), (adaptive_calibration_error, True), (without_shared_ties, False)],
)
def test_the_order_of_the_utterances_has_no_effect(
    error: Callable[[NDArray[np.float64], NDArray[np.bool_]], float], *, holds: bool
) -> None:
    @given(outcomes(), st.integers(0, 100))
    def check(found: Outcomes, seed: int) -> None:
        other = found.chosen(np.random.default_rng(seed).permutation(len(found)))
        assert error(found.confidence, found.hits) == pytest.approx(error(other.confidence, other.hits))

    if holds:
        check()
    else:
        with pytest.raises(AssertionError):
            check()


@given(outcomes())
def test_the_bins_hold_every_utterance_once(found: Outcomes) -> None:
    bins = reliability_bins(found.confidence, found.hits)
    assert sum(part.count for part in bins) == len(found)
    assert [part.low for part in bins] == pytest.approx(np.arange(15) / 15)
    filled = [part for part in bins if part.count]
    right = sum(part.count * (part.accuracy or 0.0) for part in filled)
    assert right == pytest.approx(found.hits.sum())
    assert all(part.low < (part.confidence or 0) <= part.high + 1e-12 for part in filled)


def test_a_bin_ends_with_its_upper_bound() -> None:
    bins = reliability_bins(np.array([1 / 15, 1.0, 0.0]), np.array([True, True, False]))
    assert (bins[0].count, bins[-1].count) == (2, 1)


def test_certainty_of_the_right_class_is_perfect() -> None:
    scores = probability_scores(np.eye(3), np.arange(3))
    assert (scores.nll, scores.brier, scores.ece, scores.adaptive_ece, scores.classwise_ece) == (0, 0, 0, 0, 0)


def test_the_brier_score_is_summed_over_the_classes() -> None:
    assert brier_by_utterance(np.array([[1.0, 0.0, 0.0]]), np.array([1])) == pytest.approx([2.0])
