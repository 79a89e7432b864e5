from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.audit.probe import NUM_EXCHANGES, ProbeScore, score_probe

Score = Callable[[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]], ProbeScore | None]


def draw(seed: int, *, num_rows: int = 240, num_classes: int = 4) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    return generator.integers(num_classes, size=num_rows), generator.standard_normal((num_rows, 1))


def test_a_number_that_goes_with_the_label_is_found() -> None:
    labels, noise = draw(0)
    found = score_probe(noise + 1.5 * labels[:, None], labels, groups=np.arange(240) % 12)
    assert found is not None
    assert found.balanced_accuracy > 0.45
    assert found.p_value == 1 / (1 + NUM_EXCHANGES)
    assert (found.chance, found.num_rows, found.num_groups) == (0.25, 240, 12)


def test_noise_is_not_found() -> None:
    p_values = []
    for seed in range(12):
        labels, noise = draw(seed)
        found = score_probe(noise, labels, groups=np.arange(240) % 12)
        assert found is not None
        p_values.append(found.p_value)
    assert min(p_values) > 0.01
    assert 0.2 < np.mean(p_values) < 0.8


def test_the_voice_of_a_group_that_carries_one_label_is_not_taken_for_a_cue() -> None:
    groups = np.repeat(np.arange(20), 12)
    labels = np.random.default_rng(3).integers(4, size=20)[groups]
    features = np.random.default_rng(4).standard_normal(20)[groups][:, None]
    grouped = score_probe(features, labels, groups=groups)
    alone = score_probe(features, labels, groups=np.arange(240))
    assert grouped is not None
    assert alone is not None
    assert grouped.p_value > 0.01
    assert alone.p_value == 0.005  # what rows of one group on both sides would say


def test_what_is_the_same_throughout_a_group_is_found_too() -> None:
    groups = np.arange(240) % 24
    corpora = groups % 2
    labels = np.where(np.random.default_rng(5).random(240) < 0.9, corpora, 1 - corpora)
    found = score_probe(corpora[:, None].astype(np.float64), labels, groups=groups, categorical=True)
    assert found is not None
    assert found.balanced_accuracy > 0.85
    assert found.p_value == 0.005


def test_rare_classes_count_as_much_as_common_ones() -> None:
    labels = np.repeat([0, 1], [220, 20])
    found = score_probe(np.zeros((240, 1)), labels, groups=np.arange(240))
    assert found is not None
    assert found.balanced_accuracy == 0.5


def test_codes_are_taken_as_they_are_and_an_absent_number_is_a_value() -> None:
    labels = np.tile([0, 1], 60)
    codes = np.where(labels == 1, 17.0, np.nan)[:, None]
    for categorical in (True, False):
        found = score_probe(codes, labels, groups=np.arange(120), categorical=categorical)
        assert found is not None
        assert found.balanced_accuracy == 1


@pytest.mark.parametrize(("num_rows", "num_groups"), [(0, 1), (4, 4), (240, 4)])
def test_too_few_rows_or_groups_are_not_scored(num_rows: int, num_groups: int) -> None:
    labels, noise = draw(1)
    groups = np.arange(num_rows) % num_groups
    assert score_probe(noise[:num_rows], labels[:num_rows], groups=groups) is None


def test_one_class_is_not_scored() -> None:
    assert score_probe(np.zeros((50, 1)), np.zeros(50, dtype=np.int64), groups=np.arange(50)) is None


def check_units(score: Score) -> None:
    labels, noise = draw(7)
    groups = np.arange(240) % 12

    @settings(max_examples=10, phases=[Phase.generate])  # the counter-example need not be the smallest
    @given(st.floats(0.001, 1000), st.floats(-100, 100))
    def holds(factor: float, offset: float) -> None:
        features = noise + labels[:, None]
        assert score(features * factor + offset, labels, groups) == score(features, labels, groups)

    holds()


def test_a_change_of_units_changes_nothing() -> None:
    check_units(lambda features, labels, groups: score_probe(features, labels, groups=groups))


def test_bins_of_one_unit_fail_that_property() -> None:
    with pytest.raises(AssertionError):
        check_units(
            lambda features, labels, groups: score_probe(np.floor(features), labels, groups=groups, categorical=True)
        )
