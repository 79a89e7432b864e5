"""A changed split beside the unchanged one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.scores import macro_f1
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.reliance.scoring import compare, mean_interval

LABELS = ("a", "b", "c")
ALL = np.ones(60, bool)


def outcomes(seed: int, *, skill: float) -> Outcomes:
    truth = np.arange(60) % 3
    numbers = np.random.default_rng(seed)
    scores = numbers.random((60, 3)) + skill * np.eye(3)[truth]
    return Outcomes(
        labels=LABELS,
        probabilities=scores / scores.sum(axis=1, keepdims=True),
        truth=truth,
        clusters=np.arange(60) // 2,
    )


def test_the_same_predictions_differ_by_nothing() -> None:
    before = outcomes(0, skill=0.5)
    found = compare(before, [before, before], compared=[ALL, ALL], seed=0)
    assert found is not None
    assert found.kept == 1.0
    assert found.scores == found.unchanged
    assert (found.intervals["macro_f1"].low, found.intervals["macro_f1"].high) == (0.0, 0.0)


def test_scores_are_means_over_draws_on_the_utterances_that_the_change_concerns() -> None:
    before, after = outcomes(0, skill=2.0), [outcomes(seed, skill=0.0) for seed in (1, 2)]
    compared: list[NDArray[np.bool_]] = [np.arange(60) < 50, np.arange(60) >= 10]
    found = compare(before, after, compared=compared, seed=0)
    assert found is not None
    rows = slice(10, 50)
    assert (found.num_utterances, found.num_left_out) == (40, 20)
    assert found.unchanged["macro_f1"] == pytest.approx(macro_f1(before.truth[rows], before.predicted[rows]))
    each = [macro_f1(made.truth[rows], made.predicted[rows]) for made in after]
    assert found.scores["macro_f1"] == pytest.approx(np.mean(each))
    interval = found.intervals["macro_f1"]
    assert interval.low < found.scores["macro_f1"] - found.unchanged["macro_f1"] < interval.high < 0
    assert found.as_json()["difference"]["macro_f1"] == pytest.approx(np.mean(each) - found.unchanged["macro_f1"])


def test_an_unpaired_interval_would_be_wider() -> None:
    """The counter-example: most predictions stay, so most of the spread between speakers takes no part."""
    before = outcomes(0, skill=0.6)
    probabilities = before.probabilities.copy()
    probabilities[::20] = np.roll(probabilities[::20], 1, axis=1)
    paired = compare(before, [before.with_probabilities(probabilities)], compared=[ALL], seed=0)
    elsewhere = compare(before, [outcomes(9, skill=0.6)], compared=[ALL], seed=0)
    assert paired is not None
    assert elsewhere is not None
    widths = [found.intervals["macro_f1"].high - found.intervals["macro_f1"].low for found in (paired, elsewhere)]
    assert widths[0] < 0.6 * widths[1]


def test_a_change_that_concerns_nobody_is_not_compared() -> None:
    before = outcomes(0, skill=1.0)
    assert compare(before, [before], compared=[~ALL], seed=0) is None


def test_the_interval_of_a_mean() -> None:
    values, clusters = np.random.default_rng(0).normal(1.0, 0.1, 400), np.arange(400) // 10
    interval = mean_interval(values, clusters=clusters, seed=0)
    assert interval.low < values.mean() < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.1 / 20, rel=0.4)
