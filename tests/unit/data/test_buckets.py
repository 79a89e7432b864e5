"""Batches of like length from any draw: nothing lost, little padded, other batch-mates every epoch, equal edges."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.data.batch_params import BucketParams
from vietmer_core.data.batching import cut, epoch_generator, row_limits
from vietmer_core.data.buckets import Buckets, edge_pairs, make_buckets
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.shapes import audio_edge, frames_of, text_edge

Batches = Sequence[Sequence[int]]


def sizes_of(seconds: Sequence[float], words: Sequence[int] | None = None) -> UtteranceSizes:
    return UtteranceSizes(
        audio_seconds=np.asarray(seconds, np.float32),
        text_words=np.asarray(words if words is not None else [0] * len(seconds), np.int32),
        labels=np.zeros(len(seconds), np.int32),
    )


def buckets_of(sizes: UtteranceSizes, **params: Any) -> Buckets:
    return make_buckets(sizes, BucketParams.model_validate(params))


def speech_like(count: int) -> UtteranceSizes:
    """Durations with the long tail of speech: 1 s and more, median about 2 s; about 3.5 words a second."""
    generator = np.random.default_rng(0)
    seconds = 1 + generator.lognormal(0, 0.8, count)
    return sizes_of(seconds.tolist(), np.round(seconds * generator.uniform(2.5, 4.5, count)).astype(int).tolist())


def epoch(buckets: Buckets, number: int) -> Batches:
    generator = epoch_generator(0, number)
    return buckets.batches(generator.permutation(len(buckets.lengths)), generator)


def efficiency(batches: Batches, sizes: UtteranceSizes) -> float:
    """Real ÷ computed frames."""
    frames = frames_of(sizes.audio_seconds)
    real = sum(int(frames[list(batch)].sum()) for batch in batches)
    return real / sum(len(batch) * int(frames[list(batch)].max()) for batch in batches)


LIMITS = st.sampled_from(
    [
        {"batch_size": 1},
        {"batch_size": 5},
        {"max_frames": 1300},
        {"max_tokens": 90},
        {"max_frames": 2000, "max_tokens": 300, "batch_size": 9},
    ]
)


@given(
    seconds=st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 24.7]), min_size=1, max_size=60),
    limits=LIMITS,
    pool_batches=st.sampled_from([None, 1, 2, 5]),
    copies=st.booleans(),
    number=st.integers(0, 99),
)
def test_every_draw_is_in_one_batch_and_every_batch_fits(
    seconds: list[float], limits: dict[str, int], pool_batches: int | None, copies: bool, number: int
) -> None:
    sizes = sizes_of(seconds, [round(3 * value) for value in seconds])
    buckets = buckets_of(sizes, pool_batches=pool_batches, **limits)
    generator = epoch_generator(0, number)
    draws = generator.choice(len(seconds), 3 * len(seconds)) if copies else generator.permutation(len(seconds))
    batches = buckets.batches(draws, generator)
    assert Counter(member for batch in batches for member in batch) == Counter(draws.tolist())
    assert all(len(batch) <= int(buckets.rows[batch].min()) for batch in batches)


@given(count=st.integers(1, 300), limits=LIMITS, number=st.integers(0, 99), pool_batches=st.sampled_from([None, 1, 3]))
def test_one_batch_of_an_epoch_at_most_is_part_filled_by_a_count(
    count: int, limits: dict[str, int], number: int, pool_batches: int | None
) -> None:
    size = limits.get("batch_size", 4)
    batches = epoch(buckets_of(speech_like(count), batch_size=size, pool_batches=pool_batches), number)
    assert sorted(len(batch) for batch in batches) == [count % size] * (count % size > 0) + [size] * (count // size)


def test_a_budget_is_filled_nearly_as_well_as_it_can_be_whatever_the_pools() -> None:
    sizes = speech_like(3000)
    budget = {"max_frames": 2000, "max_tokens": 140}  # each of them holds for about half of the utterances
    rows = row_limits(sizes, BucketParams.model_validate(budget))
    fewest = len(cut(np.sort(rows)))  # by the test of `cut`, no grouping of the whole split has fewer
    for pool_batches, most in ((None, 1.02), (50, 1.05), (10, 1.15)):
        buckets = buckets_of(sizes, pool_batches=pool_batches, **budget)
        found = [len(epoch(buckets, number)) for number in range(3)]
        assert fewest <= min(found) <= max(found) <= most * fewest


def test_pools_hold_as_many_batches_as_they_say() -> None:
    sizes = speech_like(3000)
    for limits in ({"batch_size": 10}, {"max_frames": 2000}):
        buckets = buckets_of(sizes, pool_batches=20, **limits)
        mean_rows = len(sizes) / len(epoch(buckets, 0))
        assert buckets._pool_size(buckets.rows) == pytest.approx(20 * mean_rows, rel=0.1)


def check_batch_mates_differ(batches_of: Callable[[int], Batches]) -> None:
    """From one epoch to the next at most half of the batches keep all their members."""
    epochs = [{frozenset(batch) for batch in batches_of(number)} for number in range(4)]
    for first, second in pairwise(epochs):
        assert len(first & second) <= len(first) // 2


@pytest.mark.parametrize("seconds", [1.0 + np.arange(200) / 40, 1.01 ** np.arange(200), np.full(200, 2.0)])
@pytest.mark.parametrize("limits", [{"batch_size": 8}, {"max_frames": 4000}])
def test_batch_mates_differ_between_epochs_even_in_one_pool(
    seconds: NDArray[np.float64], limits: dict[str, int]
) -> None:
    buckets = buckets_of(sizes_of(seconds.tolist()), **limits)
    check_batch_mates_differ(lambda number: epoch(buckets, number))


def test_batch_mates_of_equal_edges_differ_between_epochs() -> None:
    buckets = buckets_of(sizes_of([2.0] * 200), canonical=True)
    check_batch_mates_differ(lambda number: epoch(buckets, number))


def test_the_check_catches_a_plain_sort_with_shuffled_batches() -> None:
    order = np.argsort(speech_like(200).audio_seconds, kind="stable").reshape(25, 8)
    with pytest.raises(AssertionError):
        check_batch_mates_differ(lambda number: epoch_generator(0, number).permutation(order).tolist())


@pytest.mark.parametrize("limits", [{"batch_size": 8}, {"max_frames": 1500}])
def test_one_pool_pads_less_than_small_pools_and_these_less_than_chance(limits: dict[str, int]) -> None:
    sizes = speech_like(2000)
    found = {pool: efficiency(epoch(buckets_of(sizes, pool_batches=pool, **limits), 0), sizes) for pool in (1, 5, 0)}
    assert found[1] + 0.1 < found[5] < found[0] - 0.04
    assert found[0] > 0.95


def test_the_short_and_the_long_stand_at_no_fixed_place() -> None:
    sizes = speech_like(800)
    buckets = buckets_of(sizes)
    longest = int(sizes.audio_seconds.argmax())
    places = [[longest in batch for batch in epoch(buckets, number)].index(True) for number in range(20)]
    assert len(set(places)) > 10


@pytest.mark.parametrize(("alpha", "mates"), [(0.0, False), (1.0, True)])
def test_words_bring_utterances_together_only_with_alpha(alpha: float, mates: bool) -> None:  # a parameter of the test
    sizes = sizes_of([2.0] * 80, [1000] * 8 + [0] * 72)
    batches = epoch(buckets_of(sizes, alpha=alpha, jitter=1e-6), 0)
    spread = sum(any(member < 8 for member in batch) for batch in batches)
    assert (spread <= 2) == mates


def pairs(sizes: UtteranceSizes, batch: Sequence[int]) -> set[tuple[int, int]]:
    frames = frames_of(sizes.audio_seconds)
    return {(audio_edge(int(frames[index])), text_edge(int(sizes.text_words[index]))) for index in batch}


def check_edges(batches: Batches, sizes: UtteranceSizes, rows: NDArray[np.int64]) -> None:
    """Equal edges in a batch, and one part-filled batch of a pair of edges at most."""
    part_filled: Counter[tuple[int, int]] = Counter()
    for batch in batches:
        (pair,) = pairs(sizes, batch)
        part_filled[pair] += len(batch) < int(rows[list(batch)].min())
    assert max(part_filled.values()) <= 1


@given(count=st.integers(1, 400), limits=LIMITS, number=st.integers(0, 99), copies=st.booleans())
def test_a_canonical_batch_holds_equal_edges_and_leaves_one_part_filled(
    count: int, limits: dict[str, int], number: int, copies: bool
) -> None:
    sizes = speech_like(count)
    buckets = buckets_of(sizes, canonical=True, **limits)
    generator = epoch_generator(0, number)
    draws = generator.choice(count, 2 * count) if copies else generator.permutation(count)
    batches = buckets.batches(draws, generator)
    assert Counter(member for batch in batches for member in batch) == Counter(draws.tolist())
    check_edges(batches, sizes, buckets.rows)


def test_the_check_catches_batches_of_like_length_that_are_not_of_equal_edges() -> None:
    sizes = speech_like(400)
    buckets = buckets_of(sizes)
    with pytest.raises(ValueError, match="too many values to unpack"):
        check_edges(epoch(buckets, 0), sizes, buckets.rows)


def test_the_numbers_of_pairs_are_those_of_the_scalar_edges() -> None:
    sizes = speech_like(500)
    numbers = edge_pairs(sizes)
    by_number: dict[int, set[tuple[int, int]]] = {}
    for index, number in enumerate(numbers.tolist()):
        by_number.setdefault(number, set()).update(pairs(sizes, [index]))
    assert all(len(found) == 1 for found in by_number.values())
    assert len(set.union(*by_number.values())) == len(by_number)


def test_an_absent_modality_has_an_edge_of_its_own() -> None:
    sizes = sizes_of([0.0, 0.0, 1.0, 1.0], [3, 3, 0, 3])
    batches = epoch(buckets_of(sizes, canonical=True), 0)
    assert sorted(sorted(batch) for batch in batches) == [[0, 1], [2], [3]]
