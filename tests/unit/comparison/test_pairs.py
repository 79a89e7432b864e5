"""Tests of two systems: what must hold for any two, and what a broken test would say."""

from collections.abc import Callable
from itertools import product

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from tests.scores import balanced_accuracy
from vietmer_core.comparison.comparing import compare_systems
from vietmer_core.comparison.pairs import Pair, compare_pair, seed_pairs
from vietmer_core.comparison.permutation import MOST_ENUMERATED, permutation_test
from vietmer_core.comparison.systems import System, speaker_sums
from vietmer_core.evaluation.cluster_sums import METRICS
from vietmer_core.evaluation.intervals import difference_interval
from vietmer_core.evaluation.outcomes import Outcomes

MakeSystem = Callable[..., System]
LABELS = ("a", "b", "c")


@st.composite
def two_systems(draw: st.DrawFn) -> tuple[System, System]:
    num_speakers, num_seeds = draw(st.integers(2, 6)), draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    count = num_speakers * draw(st.integers(2, 5))
    truth = generator.integers(0, len(LABELS), size=count)

    def system(name: str) -> System:
        return System(
            name=name,
            labels=LABELS,
            utterance_ids=tuple(f"u{index:02d}" for index in range(count)),
            speakers=tuple(f"s{index % num_speakers}" for index in range(count)),
            truth=truth,
            probabilities=generator.dirichlet(np.ones(len(LABELS)), size=(num_seeds, count)),
            seeds=tuple(range(num_seeds)),
        )

    return system("first"), system("second")


def plain_macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    found = []
    for label in set(truth.tolist()) | set(predicted.tolist()):
        hits = int(((truth == label) & (predicted == label)).sum())
        found.append(2 * hits / int((truth == label).sum() + (predicted == label).sum()))
    return float(np.mean(found))


def difference_of(first: System, second: System, swapped: frozenset[str | None] = frozenset()) -> float:
    """The difference of mean macro-F1 by its definition, after swapping the predictions of some speakers."""
    values = []
    for one, other in ((first, second), (second, first)):
        mixed = np.array([name in swapped for name in one.speakers])
        predicted = np.where(mixed, other.predicted, one.predicted)
        values.append(np.mean([plain_macro_f1(one.truth, row) for row in predicted]))
    return float(values[0] - values[1])


@given(two_systems())
def test_the_exact_permutation_test_tries_every_swap_of_speakers(systems: tuple[System, System]) -> None:
    first, second = systems
    found = permutation_test(*map(speaker_sums, systems), metric="macro_f1", seed=0)
    names = sorted({str(name) for name in first.speakers})
    all_swaps = [
        frozenset(name for name, chosen in zip(names, swap, strict=True) if chosen)
        for swap in product((False, True), repeat=len(names))
    ]
    values = np.abs([difference_of(first, second, swap) for swap in all_swaps])
    assert found.is_exact
    assert found.p == pytest.approx((values >= abs(difference_of(first, second)) - 1e-9).mean())
    assert found.smallest_p <= found.p


@given(two_systems())
def test_the_order_of_two_systems_changes_signs_alone(systems: tuple[System, System]) -> None:
    first, second = systems
    pair, other = compare_pair(first, second), compare_pair(second, first)
    for metric in METRICS:
        mine, theirs = pair.differences[metric], other.differences[metric]
        assert mine.value == pytest.approx(-theirs.value)
        assert mine.interval.low == pytest.approx(-(theirs.interval.high or 0.0))
        assert mine.interval.drawn_low == pytest.approx(-theirs.interval.drawn_high)
        assert mine.p_t == pytest.approx(theirs.p_t)
    assert (pair.p, pair.permutation.p) == pytest.approx((other.p, other.permutation.p))
    assert pair.dominance == pytest.approx(-other.dominance)


def test_swapping_single_utterances_would_be_caught(make_system: MakeSystem) -> None:
    """Two systems that differ from speaker to speaker: single utterances, taken for independent, look like proof."""
    count, num_speakers = 160, 8
    truth, speakers = np.zeros(count, dtype=np.int64), np.arange(count) % num_speakers
    first, second = np.where(speakers < 5, 0, 1), np.where(speakers < 5, 1, 0)
    probabilities = [np.where(np.arange(4) == guess[:, None], 0.7, 0.1)[None] for guess in (first, second)]
    fields = {"truth": truth, "utterance_ids": tuple(f"u{index:03d}" for index in range(count))}
    by_speaker, by_utterance = (
        compare_pair(
            *(
                make_system(name, speakers=names, probabilities=values, **fields)
                for name, values in zip(("one", "two"), probabilities, strict=True)
            ),
            metric="accuracy",
        )
        for names in (tuple(f"s{speaker}" for speaker in speakers), (None,) * count)
    )
    assert by_speaker.permutation.p > 0.5
    assert by_utterance.permutation.p < 0.01
    assert by_utterance.mcnemar[0].p < 0.01


@given(two_systems())
def test_identical_predictions_are_not_distinguishable(systems: tuple[System, System]) -> None:
    first, _ = systems
    pair = compare_pair(first, attrs.evolve(first, name="second"))
    assert (pair.p, pair.permutation.p, pair.permutation.smallest_p, pair.difference.value) == (1.0, 1.0, 1.0, 0.0)
    assert all(test.p == 1.0 for test in pair.mcnemar)
    assert pair.dominance == 0.0
    assert (pair.difference.interval.low, pair.difference.interval.high) == (0.0, 0.0)


def test_other_predictions_of_equal_scores_are_no_identical_ones(make_system: MakeSystem) -> None:
    """The counter-example: equal scores alone do not make McNemar's table empty."""
    one, other = make_system("one"), make_system("other", draw=1)
    assert compare_pair(one, other).mcnemar[0].first_only > 0


@given(two_systems())
def test_values_are_those_of_scikit_learn(systems: tuple[System, System]) -> None:
    first, second = systems
    pair = compare_pair(first, second, metric="balanced_accuracy")
    recalls = [np.mean([balanced_accuracy(system.truth, row) for row in system.predicted]) for system in systems]
    assert pair.difference.value == pytest.approx(recalls[0] - recalls[1])
    f1 = [
        np.mean([f1_score(system.truth, row, average="macro", zero_division=0) for row in system.predicted])
        for system in systems
    ]
    assert pair.differences["macro_f1"].value == pytest.approx(f1[0] - f1[1])


def test_with_one_seed_the_interval_is_that_of_the_evaluation(make_system: MakeSystem) -> None:
    one, other = make_system("one"), make_system("other", draw=1)
    outcomes = [
        Outcomes(
            labels=system.labels,
            probabilities=system.probabilities[0],
            truth=system.truth,
            clusters=np.arange(96) % 12,
        )
        for system in (one, other)
    ]
    wanted = difference_interval(*outcomes, metric="macro_f1", seed=0)
    found = compare_pair(one, other).difference.interval
    assert (found.low, found.high, found.method) == pytest.approx((wanted.low, wanted.high, wanted.method))


def test_seeds_make_the_interval_wider_where_they_differ(make_system: MakeSystem) -> None:
    steady, other = make_system("steady", num_seeds=3), make_system("other", num_seeds=3, draw=1)
    generator = np.random.default_rng(0)
    values = [steady.probabilities[0].copy() for _ in range(3)]
    for value, share in zip(values, (0.0, 0.3, 0.6), strict=True):
        rows = generator.random(96) < share
        value[rows] = np.where(np.arange(4) == steady.truth[rows, None], 0.7, 0.1)
    luck = attrs.evolve(steady, name="luck", probabilities=np.stack(values))
    same = attrs.evolve(steady, name="same", probabilities=np.stack([values[1]] * 3))
    spread = [compare_pair(system, other).difference.interval.spread for system in (luck, same)]
    assert spread[0].standard_error is not None
    assert spread[1].standard_error is not None
    assert spread[0].standard_error > 1.5 * spread[1].standard_error


def test_seeds_are_paired_by_number_where_both_have_them() -> None:
    assert seed_pairs((0, 1, 2), (1, 2, 3)) == ([(1, 0), (2, 1)], True)
    assert seed_pairs((0, 1), (7,)) == ([(0, 0)], False)


def test_four_speakers_allow_no_small_p(make_system: MakeSystem) -> None:
    one = make_system("one", accuracy=1.0, num_speakers=4)
    other = make_system("other", accuracy=0.1, num_speakers=4)
    pair = compare_pair(one, other)
    assert pair.permutation.p == pair.permutation.smallest_p == 2 / 16
    assert pair.dominance == 1.0


def test_many_speakers_are_swapped_at_random(make_system: MakeSystem) -> None:
    assert MOST_ENUMERATED < 2**30
    one, other = (make_system(name, num_speakers=30, draw=draw) for name, draw in (("one", 0), ("other", 1)))
    found = [compare_pair(one, other, seed=seed).permutation for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert not found[0].is_exact
    assert found[0].p == pytest.approx(found[2].p, abs=0.03)


def test_one_speaker_gives_no_interval_and_no_test(make_system: MakeSystem) -> None:
    one, other = (make_system(name, speakers=("lan",) * 96, draw=draw) for name, draw in (("one", 0), ("other", 1)))
    pair = compare_pair(one, other)
    assert (pair.p, pair.difference.p_t, pair.difference.interval.low) == (1.0, None, None)
    assert str(pair.difference.interval) == "[no interval]"


def comparisons(systems: list[System], *, base: str | None = None) -> dict[frozenset[str], Pair]:
    return {frozenset((pair.first, pair.second)): pair for pair in compare_systems(systems, base=base).pairs}


def test_the_order_of_the_systems_changes_no_p(make_system: MakeSystem) -> None:
    systems = [make_system(name, accuracy=0.3 + 0.2 * index, draw=index) for index, name in enumerate("abc")]
    found, other = comparisons(systems), comparisons(systems[::-1])
    assert found.keys() == other.keys()
    for names, pair in found.items():
        assert (pair.p, pair.p_holm) == pytest.approx((other[names].p, other[names].p_holm))


def test_against_a_base_fewer_pairs_are_corrected_for(make_system: MakeSystem) -> None:
    systems = [make_system(name, accuracy=0.3 + 0.2 * index, draw=index) for index, name in enumerate("abc")]
    found = comparisons(systems, base="a")
    assert found.keys() == {frozenset("ab"), frozenset("ac")}
    everything = comparisons(systems)
    assert all(pair.p_holm <= everything[names].p_holm for names, pair in found.items())
    assert all(pair.p == everything[names].p for names, pair in found.items())


def test_folds_are_tested_with_the_correction_for_shared_training_data(make_system: MakeSystem) -> None:
    folds = np.arange(96) % 4
    one = make_system("one", accuracy=0.8, folds=folds)
    other = make_system("other", accuracy=0.5, draw=1, folds=folds)
    found = compare_pair(one, other).resampled
    assert found is not None
    assert (found.num_differences, found.degrees) == (4, 3)
    assert found.ratio == pytest.approx(1 / 3)
    assert compare_pair(one, make_system("plain", draw=1)).resampled is None
