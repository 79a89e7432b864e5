"""McNemar's test and its effect sizes against scipy and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from vietmer_core.comparison.mcnemar import mcnemar, mcnemar_of_counts

counts = st.integers(0, 60)


@given(counts, counts)
def test_p_is_that_of_a_binomial_of_one_half(first_only: int, second_only: int) -> None:
    found = mcnemar_of_counts(first_only, second_only)
    number, fewer = first_only + second_only, min(first_only, second_only)
    tail = sum(math.comb(number, hits) for hits in range(fewer + 1)) / 2**number
    assert found.p == pytest.approx(min(1.0, 2 * tail))
    assert found.mid_p == pytest.approx(2 * tail - math.comb(number, fewer) / 2**number)
    assert 0 < found.mid_p <= found.p + 1e-12


@given(counts, counts)
def test_the_order_of_two_models_changes_signs_alone(first_only: int, second_only: int) -> None:
    found, other = mcnemar_of_counts(first_only, second_only), mcnemar_of_counts(second_only, first_only)
    assert (found.p, found.mid_p) == pytest.approx((other.p, other.mid_p))
    if found.g is not None and other.g is not None:
        assert found.g == pytest.approx(-other.g)
    if found.odds_ratio and other.odds_ratio:
        assert found.odds_ratio == pytest.approx(1 / other.odds_ratio)
        assert other.odds_ratio_high is not None
        assert found.odds_ratio_low == pytest.approx(1 / other.odds_ratio_high)


def test_one_sided_p_would_be_caught() -> None:
    one_sided = binomtest(3, 10, 0.5, alternative="less").pvalue
    assert mcnemar_of_counts(3, 7).p != pytest.approx(one_sided)


def test_the_interval_of_the_odds_ratio_is_that_of_the_share() -> None:
    interval = binomtest(12, 15).proportion_ci(method="exact")
    found = mcnemar_of_counts(12, 3)
    assert found.odds_ratio == 4
    assert found.odds_ratio_low == pytest.approx(interval.low / (1 - interval.low))
    assert found.odds_ratio_high == pytest.approx(interval.high / (1 - interval.high))


def test_identical_models_are_alike() -> None:
    found = mcnemar_of_counts(0, 0)
    assert (found.p, found.mid_p, found.g, found.odds_ratio) == (1.0, 1.0, None, None)
    assert (found.odds_ratio_low, found.odds_ratio_high) == (0.0, None)


def test_only_utterances_that_one_model_alone_has_right_count() -> None:
    truth = np.array([0, 0, 0, 0, 0])
    first, second = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1])
    found = mcnemar(truth, first, second)
    assert (found.first_only, found.second_only) == (2, 1)
    assert found.p != pytest.approx(fisher_exact([[1, 2], [1, 1]]).pvalue, abs=1e-3) or found.p == 1.0
