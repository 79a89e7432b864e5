"""Holm's correction and the corrected resampled t-test against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from vietmer_core.comparison.corrections import corrected_resampled_t, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def plain_holm(values: list[float]) -> list[float]:
    """By the definition: the largest of what every smaller or equal p-value was multiplied to."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    found = [0.0] * len(values)
    for rank, index in enumerate(order):
        before = [(len(values) - earlier) * values[order[earlier]] for earlier in range(rank + 1)]
        found[index] = min(1.0, max(before))
    return found


@given(p_values)
def test_holm_is_the_definition(values: list[float]) -> None:
    assert holm(values) == pytest.approx(plain_holm(values))


@given(p_values, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order(values: list[float], random: object) -> None:
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives a `random.Random`
    shuffled = holm([values[index] for index in order])
    assert shuffled == pytest.approx([holm(values)[index] for index in order])


@given(p_values)
def test_holm_lies_between_the_p_values_and_bonferroni(values: list[float]) -> None:
    for before, after in zip(values, holm(values), strict=True):
        assert before <= after + 1e-12
        assert after <= min(1.0, before * len(values)) + 1e-9 or after <= max(holm(values))


def test_holm_without_its_running_maximum_would_be_caught() -> None:
    values = [0.01, 0.012, 0.5]
    broken = [min(1.0, value * factor) for value, factor in zip(values, (3, 2, 1), strict=True)]
    assert broken == pytest.approx([0.03, 0.024, 0.5])
    assert holm(values) == pytest.approx([0.03, 0.03, 0.5])


def test_holm_of_a_textbook_example() -> None:
    """Four tests of Holm (1979) as worked through in R's `p.adjust`."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=20))
def test_without_overlap_the_resampled_test_is_the_plain_t_test(values: list[float]) -> None:
    differences = np.array(values)
    if differences.std() < 1e-6:
        return
    found = corrected_resampled_t(differences, ratio=0.0)
    plain = ttest_1samp(differences, 0.0)
    assert found.statistic == pytest.approx(plain.statistic)
    assert found.p == pytest.approx(plain.pvalue)


def test_the_overlap_of_ten_folds_makes_t_smaller_by_its_closed_form() -> None:
    differences = np.array([0.02, 0.05, 0.01, 0.04, 0.03, 0.06, 0.02, 0.05, 0.03, 0.04])
    plain = ttest_1samp(differences, 0.0).statistic
    found = corrected_resampled_t(differences, ratio=1 / 9)
    assert found.statistic == pytest.approx(plain * np.sqrt((1 / 10) / (1 / 10 + 1 / 9)))
    assert found.degrees == 9


def test_equal_differences_have_no_statistic() -> None:
    assert corrected_resampled_t(np.zeros(5), ratio=0.25).p == 1.0
    assert corrected_resampled_t(np.full(5, 0.5), ratio=0.25).p == 0.0
    assert corrected_resampled_t(np.full(5, 0.5), ratio=0.25).statistic is None


def test_one_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 folds"):
        corrected_resampled_t(np.zeros(1), ratio=0.25)
