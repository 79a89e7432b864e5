"""Intervals by speaker: what is drawn, which method, what they cover."""

import json

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from tests.unit.evaluation.drawn import outcomes, some_outcomes
from vietmer_core.evaluation.cluster_sums import METRICS, cluster_sums, metrics_of_sums
from vietmer_core.evaluation.intervals import (
    FEW_CLUSTERS,
    FEWEST_CLUSTERS,
    bootstrap,
    clustered_intervals,
    difference_interval,
    intervals_of_sums,
)
from vietmer_core.evaluation.metrics import score
from vietmer_core.evaluation.outcomes import Outcomes


def drawn_anew(found: Outcomes, *, seed: int, draws: int) -> NDArray[np.float64]:
    """Macro-F1 of draws of whole speakers, the plain way: rows are put together and scored."""
    generator = np.random.default_rng(seed)
    names = np.unique(found.clusters)
    values = []
    for _ in range(draws):
        chosen = generator.integers(len(names), size=len(names))
        rows = np.concatenate([np.flatnonzero(found.clusters == names[index]) for index in chosen])
        part = found.chosen(rows)
        values.append(score(part.probabilities, part.truth, part.labels).summary["macro_f1"])
    return np.array(values)


def test_a_draw_by_sums_is_a_draw_of_utterances() -> None:
    found = some_outcomes(0, count=60, num_clusters=8)
    plain = drawn_anew(found, seed=3, draws=25)
    fast = bootstrap(cluster_sums(found), metrics_of_sums, seed=3, num_draws=25)[:, METRICS.index("macro_f1")]
    np.testing.assert_allclose(fast, plain)


def test_the_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = cluster_sums(some_outcomes(0))
    whole = bootstrap(sums, metrics_of_sums, seed=1, num_draws=50)
    monkeypatch.setattr("vietmer_core.evaluation.intervals.DRAWN_AT_ONCE", 60)
    np.testing.assert_allclose(bootstrap(sums, metrics_of_sums, seed=1, num_draws=50), whole)


def test_whole_speakers_are_drawn() -> None:
    """Speakers always right and speakers always wrong: utterances alone would hide how far scores lie apart."""
    right = np.repeat(np.arange(40) % 2, 20)
    speakers = np.repeat(np.arange(40), 20)
    found = Outcomes(
        labels=("a", "b"),
        probabilities=np.column_stack([1 - right, right]).astype(float),
        truth=np.zeros(800, np.int64),
        clusters=speakers,
    )
    by_speaker = clustered_intervals(found, seed=0)["accuracy"]
    alone = clustered_intervals(attrs.evolve(found, clusters=np.arange(800)), seed=0)["accuracy"]
    assert by_speaker.method == alone.method == "bootstrap"
    assert by_speaker.high - by_speaker.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 40), rel=0.15)
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 800), rel=0.15)


@pytest.mark.parametrize(
    ("count", "method", "too_few"),
    [
        (1, "none", True),
        (2, "jackknife-t", True),
        (FEWEST_CLUSTERS, "jackknife-t", False),
        (FEW_CLUSTERS - 1, "jackknife-t", False),
        (FEW_CLUSTERS, "bootstrap", False),
    ],
)
def test_the_method_follows_the_number_of_speakers(count: int, method: str, *, too_few: bool) -> None:
    found = some_outcomes(0, num_clusters=count)
    assert found.num_clusters == count
    for interval in clustered_intervals(found, seed=0).values():
        assert (interval.method, interval.too_few, interval.num_clusters) == (method, too_few, count)
        content = json.loads(json.dumps(interval.as_json(), allow_nan=False))
        assert (content["low"] is None) == (count == 1)


def test_few_speakers_of_equal_size_have_the_interval_of_student() -> None:
    """Of means, leaving one out gives the usual standard error; the accuracy is found between its bounds."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(6, 1))
    (found,) = intervals_of_sums(np.hstack([values, np.ones((6, 1))]), lambda sums: sums[..., 0] / sums[..., 1], seed=0)
    wanted = stats.t.interval(0.95, 5, loc=values.mean(), scale=stats.sem(values[:, 0]))
    assert (found.low, found.high) == pytest.approx(wanted)


@given(outcomes(), st.integers(0, 5))
def test_intervals_are_in_order_within_bounds_and_a_function_of_the_seed(found: Outcomes, seed: int) -> None:
    first, second = (clustered_intervals(found, seed=seed, num_draws=50) for _ in range(2))
    for metric, interval in first.items():
        if interval.method == "none":
            assert np.isnan([interval.low, interval.high]).all()
            continue
        assert interval == second[metric]
        assert 0 <= interval.low <= interval.high
        assert interval.high <= {"loss": 1e6, "brier": np.inf}.get(metric, 1)


@given(outcomes(least=2), st.randoms(use_true_random=False))
def test_the_order_of_the_utterances_has_no_effect(found: Outcomes, random: object) -> None:
    order = np.arange(len(found))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis's own `Random`
    first, second = (clustered_intervals(part, seed=0, num_draws=50) for part in (found, found.chosen(order)))
    for metric in METRICS:
        np.testing.assert_allclose(
            [first[metric].low, first[metric].high], [second[metric].low, second[metric].high], atol=1e-9
        )


def covered(method: str, *, num_clusters: int, repetitions: int = 300) -> float:
    """How often the interval of an accuracy of .7 holds it; speakers differ, and so do their numbers of utterances."""
    generator, hits = np.random.default_rng(7), 0
    for repetition in range(repetitions):
        counts = generator.integers(5, 60, size=num_clusters)
        right = generator.binomial(counts, generator.beta(7, 3, size=num_clusters))
        sums = np.column_stack([right, counts]).astype(float)

        def share(sums: NDArray[np.float64]) -> NDArray[np.float64]:
            result: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
            return result

        if method == "percentile":
            low, high = np.quantile(bootstrap(sums, share, seed=repetition, num_draws=300), [0.025, 0.975])
        else:
            (found,) = intervals_of_sums(sums, share, seed=repetition, num_draws=300, bounds=[(0.0, 1.0)])
            low, high = found.low, found.high
        hits += low <= 0.7 <= high
    return hits / repetitions


def test_intervals_cover_what_they_say_and_a_plain_percentile_interval_of_few_speakers_does_not() -> None:
    assert covered("ours", num_clusters=4) > 0.91
    assert covered("ours", num_clusters=8) > 0.91
    assert covered("ours", num_clusters=50) > 0.91
    assert covered("percentile", num_clusters=4) < 0.88


def test_a_difference_is_paired() -> None:
    """The speakers decide both models alike: the difference is far surer than either score."""
    found = some_outcomes(0, count=600, num_clusters=30)
    alike = found.with_probabilities(np.roll(found.probabilities, 1, axis=1))
    same = difference_interval(found, found, metric="macro_f1", seed=0)
    assert (same.low, same.high) == (0.0, 0.0)
    other = difference_interval(found, alike, metric="macro_f1", seed=0)
    assert other.low > 0.05
    back = difference_interval(alike, found, metric="macro_f1", seed=0)
    assert (back.low, back.high) == pytest.approx((-other.high, -other.low))


def test_a_difference_of_groups_rests_on_the_smaller_one() -> None:
    found = some_outcomes(0, count=600, num_clusters=30)
    small = found.clusters < 3
    between = difference_interval(found.chosen(small), found.chosen(~small), metric="accuracy", seed=0)
    assert (between.num_clusters, between.method, between.too_few) == (3, "jackknife-t", True)
