"""The sampler of like lengths: every utterance once, little padding, other batch-mates every epoch."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from vietmer_sampler_length_bucket.plugin import LengthBucketSamplerParams, build
from vietmer_sampler_length_bucket.sampler import mixed_lengths

from vietmer_core.protocols import Sampler, UtteranceSizes
from vietmer_core.testing import conformance_tests

DURATIONS = Path(__file__).parents[4] / "shared" / "data" / "visec_sample" / "durations_all.json"

test_conformance = conformance_tests("sampler", "length_bucket")

quick = settings(deadline=None, derandomize=True)
Batches = Sequence[Sequence[int]]

one_pool = pytest.mark.parametrize("pool_batches", [None, 0])


def sizes_of(seconds: Sequence[float], words: Sequence[int] | None = None) -> UtteranceSizes:
    return UtteranceSizes(
        audio_seconds=np.asarray(seconds, np.float32),
        text_words=np.asarray(words if words is not None else [0] * len(seconds), np.int32),
        labels=np.zeros(len(seconds), np.int32),
    )


def sampler_of(sizes: UtteranceSizes, *, seed: int = 0, **params: object) -> Sampler:
    return build(LengthBucketSamplerParams.model_validate(params), sizes=sizes, seed=seed)


def speech_like(count: int) -> NDArray[np.float32]:
    """Durations with the long tail of speech: 1 s and more, median about 2 s."""
    return (1 + np.random.default_rng(0).lognormal(0, 0.8, count)).astype(np.float32)


def composition(batches: Batches) -> set[frozenset[int]]:
    return {frozenset(batch) for batch in batches}


def efficiency(batches: Batches, seconds: NDArray[np.float32]) -> float:
    """Real ÷ padded seconds."""
    padded = sum(len(batch) * float(seconds[list(batch)].max()) for batch in batches)
    return float(seconds.sum(dtype=np.float64)) / padded


@quick
@given(
    seconds=st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 24.7]), max_size=60),
    batch_size=st.integers(1, 9),
    pool_batches=st.sampled_from([None, 0, 1, 2, 5]),
    seed=st.integers(0, 2**63),
    epoch=st.integers(0, 99),
)
def test_every_utterance_comes_exactly_once(
    seconds: list[float], batch_size: int, pool_batches: int | None, seed: int, epoch: int
) -> None:
    sampler = sampler_of(sizes_of(seconds), seed=seed, batch_size=batch_size, pool_batches=pool_batches)
    batches = sampler.batches(epoch)
    assert sorted(member for batch in batches for member in batch) == list(range(len(seconds)))
    count = len(seconds)
    expected = [count % batch_size] * (count % batch_size > 0) + [batch_size] * (count // batch_size)
    assert sorted(len(batch) for batch in batches) == expected


@quick
@given(seed=st.integers(0, 2**32 - 2), epoch=st.integers(0, 99), pool_batches=st.sampled_from([None, 4]))
def test_the_batches_depend_on_seed_and_epoch_and_on_nothing_else(
    seed: int, epoch: int, pool_batches: int | None
) -> None:
    sizes = sizes_of(speech_like(100).tolist())
    sampler = sampler_of(sizes, seed=seed, pool_batches=pool_batches)
    batches = sampler.batches(epoch)
    assert sampler.batches(epoch + 1) != batches
    assert sampler_of(sizes, seed=seed + 1, pool_batches=pool_batches).batches(epoch) != batches
    assert sampler.batches(epoch) == sampler_of(sizes, seed=seed, pool_batches=pool_batches).batches(epoch) == batches


def check_batch_mates_differ(batches_of: Callable[[int], Batches]) -> None:
    """From one epoch to the next at most half of the batches keep all their members."""
    for first, second in pairwise(composition(batches_of(epoch)) for epoch in range(4)):
        assert len(first & second) <= len(first) // 2


@one_pool
@pytest.mark.parametrize("seconds", [speech_like(200), 1.05 ** np.arange(200), np.full(200, 2.0)])
def test_batch_mates_differ_between_epochs_even_in_one_pool(
    pool_batches: int | None, seconds: NDArray[np.float32]
) -> None:
    check_batch_mates_differ(sampler_of(sizes_of(seconds.tolist()), pool_batches=pool_batches).batches)


def test_the_check_catches_a_plain_sort_with_shuffled_batches() -> None:
    order = np.argsort(speech_like(200), kind="stable").reshape(25, 8)
    with pytest.raises(AssertionError):
        check_batch_mates_differ(lambda epoch: np.random.default_rng(epoch).permutation(order).tolist())


@one_pool
def test_one_pool_pads_less_than_small_pools_and_these_less_than_chance(pool_batches: int | None) -> None:
    seconds = speech_like(2000)
    found = {}
    for name, size in {"chance": 1, "small": 5, "one": pool_batches}.items():
        found[name] = efficiency(sampler_of(sizes_of(seconds.tolist()), pool_batches=size).batches(0), seconds)
    assert found["chance"] + 0.1 < found["small"] < found["one"] - 0.05
    assert found["one"] > 0.95


@pytest.mark.skipif(not DURATIONS.is_file(), reason="the durations of ViSEC are not in `../shared/data`")
def test_less_is_padded_than_by_chance_on_durations_of_a_real_corpus() -> None:
    seconds = np.asarray(json.loads(DURATIONS.read_text(encoding="utf-8"))["durations"], np.float32)
    sizes = sizes_of(seconds.tolist())
    for batch_size in (8, 16, 32):
        chance = sampler_of(sizes, batch_size=batch_size, pool_batches=1)
        bucketed = sampler_of(sizes, batch_size=batch_size)
        assert efficiency(bucketed.batches(0), seconds) > efficiency(chance.batches(0), seconds) + 0.3


def test_the_short_and_the_long_stand_at_no_fixed_place() -> None:
    seconds = speech_like(800)
    sampler = sampler_of(sizes_of(seconds.tolist()), pool_batches=None)
    places = [int(np.argmax([seconds[batch].max() for batch in sampler.batches(epoch)])) for epoch in range(20)]
    assert len(set(places)) > 10


def test_the_mixed_length_counts_words_in_seconds() -> None:
    sizes = sizes_of([1.5, 0.0, 2.0], [10, 5, 0])
    np.testing.assert_allclose(mixed_lengths(sizes, alpha=0.03), [1.8, 0.15, 2.0], rtol=1e-12)


@pytest.mark.parametrize(("alpha", "mates"), [(0.0, False), (1.0, True)])
def test_words_bring_utterances_together_only_with_alpha(alpha: float, mates: bool) -> None:  # a parameter of the test
    words = [1000] * 8 + [0] * 72
    sizes = sizes_of([2.0] * 80, words)
    batches = sampler_of(sizes, alpha=alpha, pool_batches=None, jitter=1e-6).batches(0)
    spread = sum(any(member < 8 for member in batch) for batch in batches)
    assert (spread <= 2) == mates


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"alpha": -0.1},
        {"alpha": float("inf")},
        {"pool_batches": -1},
        {"jitter": 0},
        {"drop_last": 1},
    ],
)
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        LengthBucketSamplerParams.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
