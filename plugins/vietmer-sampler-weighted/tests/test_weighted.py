"""The sampler that weights classes: they come in proportion to their weights, in an order of (seed, epoch) alone."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from vietmer_sampler_weighted.plugin import WeightedSamplerParams, build

from vietmer_core.errors import AssemblyError, TooLongError
from vietmer_core.protocols import Sampler, UtteranceSizes
from vietmer_core.testing import conformance_tests

test_conformance = conformance_tests("sampler", "weighted")

quick = settings(deadline=None, derandomize=True)
COUNTS = (500, 100, 40)
SECONDS = (1.0, 4.0, 9.0)
CHI_SQUARE_999 = 13.82
"""The 0.999 quantile for 2 degrees of freedom, three classes."""


def split() -> UtteranceSizes:
    """Three classes of unequal size and length, in a random order."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), COUNTS)).astype(np.int32)
    seconds = np.array(SECONDS, np.float32)[labels]
    return UtteranceSizes(audio_seconds=seconds, text_words=np.zeros(len(labels), np.int32), labels=labels)


def sampler_of(sizes: UtteranceSizes, *, seed: int = 0, **params: object) -> Sampler:
    return build(WeightedSamplerParams.model_validate(params), sizes=sizes, seed=seed)


def drawn(batches: Sequence[Sequence[int]]) -> list[int]:
    return [index for batch in batches for index in batch]


def chi_square(labels: NDArray[np.int32], exponent: float) -> float:
    """Of the classes drawn, against probabilities in proportion to mean length^-exponent."""
    expected = np.array(SECONDS) ** -exponent
    expected *= len(labels) / expected.sum()
    return float(((np.bincount(labels, minlength=3) - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("limits", [{"batch_size": 8}, {"max_frames": 1000}])
def test_classes_come_in_proportion_to_their_weights(exponent: float, limits: dict[str, int]) -> None:
    sizes = split()
    sampler = sampler_of(sizes, length_exponent=exponent, **limits)
    labels = np.concatenate([sizes.labels[drawn(sampler.batches(epoch))] for epoch in range(40)])
    assert len(labels) == 40 * len(sizes)
    assert chi_square(labels, exponent) < CHI_SQUARE_999


def test_the_test_catches_an_order_without_weights() -> None:
    sizes = split()
    labels = np.tile(sizes.labels, 40)  # every utterance once an epoch, as other samplers give it
    assert chi_square(labels, 0.5) > 100 * CHI_SQUARE_999


@quick
@given(seed=st.integers(0, 2**32 - 2), epoch=st.integers(0, 99), draws=st.integers(1, 90), size=st.integers(1, 9))
def test_an_epoch_has_the_draws_asked_for_in_full_batches(seed: int, epoch: int, draws: int, size: int) -> None:
    batches = sampler_of(split(), seed=seed, draws_per_epoch=draws, batch_size=size).batches(epoch)
    assert [len(batch) for batch in batches] == [size] * (draws // size) + [draws % size] * (draws % size > 0)


@quick
@given(seed=st.integers(0, 2**32 - 2), epoch=st.integers(0, 99))
def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else(seed: int, epoch: int) -> None:
    sampler = sampler_of(split(), seed=seed)
    batches = sampler.batches(epoch)
    assert sampler.batches(epoch + 1) != batches
    assert sampler_of(split(), seed=seed + 1).batches(epoch) != batches
    assert sampler.batches(epoch) == sampler_of(split(), seed=seed).batches(epoch) == batches


def test_an_utterance_without_a_label_and_one_too_long_are_named() -> None:
    sizes = split()
    with pytest.raises(TooLongError, match=r"`sampler\.max_frames` must be at least 450, .* but is 449 instead"):
        sampler_of(sizes, max_frames=449)
    sizes.labels[5] = -1
    with pytest.raises(AssemblyError, match="must have a label, but that at position 5 of the split"):
        sampler_of(sizes)


def test_a_label_without_an_utterance_is_named() -> None:
    sizes = split()
    sizes.labels[sizes.labels == 1] = 0
    with pytest.raises(AssemblyError, match="has none of label number 1, from 0, of `labels`"):
        sampler_of(sizes)


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"length_exponent": -0.5}, {"draws_per_epoch": 0}, {"alpha": -1}, {"canonical": True}]
)
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        WeightedSamplerParams.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
