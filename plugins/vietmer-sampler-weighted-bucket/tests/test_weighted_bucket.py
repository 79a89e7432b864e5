"""Weights and buckets at once: classes come by weight, in batches as tight as plain buckets of the same draw."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from vietmer_sampler_weighted_bucket.plugin import WeightedBucketSamplerParams, build
from vietmer_sampler_weighted_bucket.sampler import WeightedBucketSampler

from vietmer_core.data.batch_params import BucketParams
from vietmer_core.data.batching import epoch_generator
from vietmer_core.data.buckets import make_buckets
from vietmer_core.errors import AssemblyError, TooLongError
from vietmer_core.protocols import UtteranceSizes
from vietmer_core.shapes import audio_edges, frames_of
from vietmer_core.testing import conformance_tests

test_conformance = conformance_tests("sampler", "weighted_bucket")

quick = settings(deadline=None, derandomize=True)
Batches = Sequence[Sequence[int]]
COUNTS = (2000, 500, 120)
CHI_SQUARE_999 = 13.82
"""The 0.999 quantile for 2 degrees of freedom, three classes."""

FORMS = [{"batch_size": 8}, {"batch_size": 32}, {"max_frames": 2000, "max_tokens": 160}, {"canonical": True}]
forms = pytest.mark.parametrize("form", FORMS, ids=str)


def split() -> UtteranceSizes:
    """Three classes of unequal size whose utterances are the longer the rarer the class."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(3), COUNTS)).astype(np.int32)
    seconds = (1 + generator.lognormal(0, 0.8, len(labels)) * np.array([0.8, 1.5, 2.5])[labels]).astype(np.float32)
    words = np.round(seconds * generator.uniform(2.5, 4.5, len(labels))).astype(np.int32)
    return UtteranceSizes(audio_seconds=seconds, text_words=words, labels=labels)


def sampler_of(sizes: UtteranceSizes, *, seed: int = 0, **params: Any) -> WeightedBucketSampler:
    made = build(WeightedBucketSamplerParams.model_validate(params), sizes=sizes, seed=seed)
    assert isinstance(made, WeightedBucketSampler)
    return made


def chi_square(sizes: UtteranceSizes, batches_of: Callable[[int], Batches]) -> float:
    """Of the classes of 20 epochs, against probabilities in proportion to mean length^-0.5."""
    indices = [index for epoch in range(20) for batch in batches_of(epoch) for index in batch]
    lengths = sizes.audio_seconds + 0.03 * sizes.text_words
    expected: NDArray[np.float64] = np.array([lengths[sizes.labels == label].mean() ** -0.5 for label in range(3)])
    expected *= len(indices) / expected.sum()
    return float(((np.bincount(sizes.labels[indices], minlength=3) - expected) ** 2 / expected).sum())


def efficiency(batches: Batches, sizes: UtteranceSizes, *, canonical: bool = False) -> float:
    """Real ÷ computed frames."""
    frames = frames_of(sizes.audio_seconds)
    widths = audio_edges(frames) if canonical else frames
    real = sum(int(frames[list(batch)].sum()) for batch in batches)
    return real / sum(len(batch) * int(widths[list(batch)].max()) for batch in batches)


@forms
def test_classes_come_in_proportion_to_their_weights(form: dict[str, Any]) -> None:
    sizes = split()
    assert chi_square(sizes, sampler_of(sizes, **form).batches) < CHI_SQUARE_999


@forms
def test_the_test_catches_buckets_that_turn_the_weights_off(form: dict[str, Any]) -> None:
    sizes = split()
    buckets = make_buckets(sizes, BucketParams.model_validate(form))

    def unweighted(epoch: int) -> Batches:
        generator = epoch_generator(0, epoch)
        return buckets.batches(generator.permutation(len(sizes)), generator)

    assert chi_square(sizes, unweighted) > 100 * CHI_SQUARE_999


@forms
def test_batches_are_as_tight_as_plain_buckets_of_the_same_draw(form: dict[str, Any]) -> None:
    sizes = split()
    canonical = bool(form.get("canonical"))
    for epoch in range(3):
        sampler = sampler_of(sizes, **form)
        weighted = sampler.batches(epoch)
        draws = sampler.draws.draw(epoch_generator(0, epoch))
        assert Counter(index for batch in weighted for index in batch) == Counter(draws.tolist())
        copies = UtteranceSizes(  # a split that holds each draw as an utterance of its own
            audio_seconds=sizes.audio_seconds[draws], text_words=sizes.text_words[draws], labels=sizes.labels[draws]
        )
        generator = epoch_generator(1, epoch)
        plain = make_buckets(copies, BucketParams.model_validate(form)).batches(
            generator.permutation(len(draws)), generator
        )
        tight = efficiency(plain, copies, canonical=canonical)
        assert efficiency(weighted, sizes, canonical=canonical) > tight - 0.02
        assert len(weighted) < 1.02 * len(plain) + 1


def test_the_test_catches_weights_that_turn_the_buckets_off() -> None:
    sizes = split()
    sampler = sampler_of(sizes)
    draws = sampler.draws.draw(epoch_generator(0, 0)).tolist()
    loose = [draws[start : start + 8] for start in range(0, len(draws), 8)]
    assert efficiency(loose, sizes) < efficiency(sampler.batches(0), sizes) - 0.2


@quick
@given(seed=st.integers(0, 2**32 - 2), epoch=st.integers(0, 99), form=st.sampled_from(FORMS))
def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else(seed: int, epoch: int, form: dict[str, Any]) -> None:
    sizes = split()
    sampler = sampler_of(sizes, seed=seed, **form)
    batches = sampler.batches(epoch)
    assert sampler.batches(epoch + 1) != batches
    assert sampler_of(sizes, seed=seed + 1, **form).batches(epoch) != batches
    assert sampler_of(sizes, seed=seed, **form).batches(epoch) == batches


def copies_that_meet(batches: Batches) -> float:
    """Share of the draws that have a copy of themselves before them in their batch."""
    return sum(len(batch) - len(set(batch)) for batch in batches) / sum(len(batch) for batch in batches)


def test_copies_of_an_utterance_are_parted_where_others_are_of_like_length() -> None:
    sizes = split()
    sampler = sampler_of(sizes)
    draws = sampler.draws.draw(epoch_generator(0, 0))
    order = draws[np.argsort(sizes.audio_seconds[draws], kind="stable")].tolist()
    sort = [order[start : start + 8] for start in range(0, len(order), 8)]
    assert copies_that_meet(sampler.batches(0)) < 0.2
    assert copies_that_meet(sort) > 0.4


def test_an_utterance_too_long_and_a_label_without_an_utterance_are_named() -> None:
    sizes = split()
    longest = int(sizes.audio_seconds.argmax())
    with pytest.raises(TooLongError, match=f"position {longest}, from 0") as caught:
        sampler_of(sizes, max_frames=100)
    assert caught.value.index == longest
    sizes.labels[sizes.labels == 1] = 0
    with pytest.raises(AssemblyError, match="has none of label number 1, from 0, of `labels`"):
        sampler_of(sizes)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"length_exponent": -0.5}, {"jitter": 0}, {"drop_last": True}])
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        WeightedBucketSamplerParams.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
