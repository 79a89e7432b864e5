"""The sampler of like lengths: every utterance once, little padding, in an order of (seed, epoch) alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from vietmer_sampler_length_bucket.plugin import LengthBucketSamplerParams, build

from vietmer_core.errors import TooLongError
from vietmer_core.protocols import Sampler, UtteranceSizes
from vietmer_core.shapes import audio_edges, frames_of
from vietmer_core.testing import conformance_tests

DURATIONS = Path(__file__).parents[4] / "shared" / "data" / "visec_sample" / "durations_all.json"

test_conformance = conformance_tests("sampler", "length_bucket")

quick = settings(deadline=None, derandomize=True)
Batches = Sequence[Sequence[int]]

FORMS = st.sampled_from(
    [
        {},
        {"pool_batches": 4},
        {"max_frames": 1300},
        {"max_frames": 1300, "max_tokens": 60, "batch_size": 9},
        {"canonical": True},
        {"canonical": True, "max_frames": 1300},
    ]
)


def sizes_of(seconds: Sequence[float]) -> UtteranceSizes:
    return UtteranceSizes(
        audio_seconds=np.asarray(seconds, np.float32),
        text_words=np.asarray(np.round(np.asarray(seconds) * 2), np.int32),
        labels=np.zeros(len(seconds), np.int32),
    )


def sampler_of(sizes: UtteranceSizes, *, seed: int = 0, **params: Any) -> Sampler:
    return build(LengthBucketSamplerParams.model_validate(params), sizes=sizes, seed=seed)


def speech_like(count: int) -> NDArray[np.float32]:
    """Durations with the long tail of speech: 1 s and more, median about 2 s."""
    return (1 + np.random.default_rng(0).lognormal(0, 0.8, count)).astype(np.float32)


def efficiency(batches: Batches, seconds: NDArray[np.float32]) -> float:
    """Real ÷ padded seconds."""
    padded = sum(len(batch) * float(seconds[list(batch)].max()) for batch in batches)
    return float(seconds.sum(dtype=np.float64)) / padded


@quick
@given(
    seconds=st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 24.7]), max_size=60),
    form=FORMS,
    seed=st.integers(0, 2**63),
    epoch=st.integers(0, 99),
)
def test_every_utterance_comes_exactly_once(seconds: list[float], form: dict[str, Any], seed: int, epoch: int) -> None:
    batches = sampler_of(sizes_of(seconds), seed=seed, **form).batches(epoch)
    assert sorted(member for batch in batches for member in batch) == list(range(len(seconds)))
    assert all(batches)


@quick
@given(seed=st.integers(0, 2**32 - 2), epoch=st.integers(0, 99), form=FORMS)
def test_the_batches_depend_on_seed_and_epoch_and_on_nothing_else(seed: int, epoch: int, form: dict[str, Any]) -> None:
    sizes = sizes_of(speech_like(100).tolist())
    sampler = sampler_of(sizes, seed=seed, **form)
    batches = sampler.batches(epoch)
    assert sampler.batches(epoch + 1) != batches
    assert sampler_of(sizes, seed=seed + 1, **form).batches(epoch) != batches
    assert sampler.batches(epoch) == sampler_of(sizes, seed=seed, **form).batches(epoch) == batches


@pytest.mark.skipif(not DURATIONS.is_file(), reason="the durations of ViSEC are not in `../shared/data`")
def test_less_is_padded_than_by_chance_on_durations_of_a_real_corpus() -> None:
    seconds = np.asarray(json.loads(DURATIONS.read_text(encoding="utf-8"))["durations"], np.float32)
    sizes = sizes_of(seconds.tolist())
    for batch_size in (8, 16, 32):
        chance = sampler_of(sizes, batch_size=batch_size, pool_batches=1)
        bucketed = sampler_of(sizes, batch_size=batch_size)
        assert efficiency(bucketed.batches(0), seconds) > efficiency(chance.batches(0), seconds) + 0.4
    by_budget = sampler_of(sizes, max_frames=2000).batches(0)
    assert efficiency(by_budget, seconds) > 0.97
    assert len(by_budget) < 1.08 * float(frames_of(seconds).sum()) / 2000


@pytest.mark.skipif(not DURATIONS.is_file(), reason="the durations of ViSEC are not in `../shared/data`")
def test_little_is_padded_to_edges_and_few_batches_are_more_on_durations_of_a_real_corpus() -> None:
    seconds = np.asarray(json.loads(DURATIONS.read_text(encoding="utf-8"))["durations"], np.float32)
    frames = frames_of(seconds)
    assert float(frames.sum()) / float(audio_edges(frames).sum()) >= 0.96
    batches = sampler_of(sizes_of(seconds.tolist()), canonical=True).batches(0)
    assert len(batches) <= 1.25 * len(seconds) / 8


def test_an_utterance_longer_than_the_budget_is_named() -> None:
    with pytest.raises(TooLongError, match=r"`sampler\.max_frames` must be at least 150, .*position 1.*is 149 instead"):
        sampler_of(sizes_of([1.0, 3.0, 2.0]), max_frames=149)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"alpha": -0.1},
        {"alpha": float("inf")},
        {"pool_batches": -1},
        {"jitter": 0},
        {"drop_last": 1},
        {"max_frames": 0},
    ],
)
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        LengthBucketSamplerParams.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
