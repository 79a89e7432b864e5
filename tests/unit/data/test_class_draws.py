"""Draws by class: in proportion to the weights, from all of a class alike, refused where a weight cannot be."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from vietmer_core.data.batch_params import WeightParams
from vietmer_core.data.batching import epoch_generator
from vietmer_core.data.class_draws import class_weights, make_draws
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import AssemblyError

COUNTS = (600, 150, 50, 200)
CHI_SQUARE_999 = 16.27
"""The 0.999 quantile for 3 degrees of freedom, four classes."""


def sizes_of(labels: Sequence[int], seconds: Sequence[float], words: int = 0) -> UtteranceSizes:
    return UtteranceSizes(
        audio_seconds=np.asarray(seconds, np.float32),
        text_words=np.full(len(labels), words, np.int32),
        labels=np.asarray(labels, np.int32),
    )


def split() -> UtteranceSizes:
    """Four classes of unequal size; the longer the rarer."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), COUNTS))
    return sizes_of(labels.tolist(), np.array([1.0, 2.0, 4.0, 8.0])[labels].tolist())


def chi_square(drawn: NDArray[np.int32], probabilities: NDArray[np.float64]) -> float:
    """Of the classes drawn, against the probabilities of the classes."""
    found = np.bincount(drawn, minlength=len(probabilities))
    expected = len(drawn) * probabilities
    return float(((found - expected) ** 2 / expected).sum())


def shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the classes: every utterance of a class has its weight."""
    mass = weights * np.array(COUNTS)
    return np.asarray(mass / mass.sum())


def test_a_weight_is_one_by_size_and_root_of_the_mean_length() -> None:
    sizes = sizes_of([0, 0, 1, 1, 1, 1], [1.0, 3.0, 4.0, 4.0, 4.0, 4.0], words=100)
    np.testing.assert_allclose(
        class_weights(sizes, alpha=0.05, length_exponent=0.5), [1 / (2 * 7**0.5), 1 / (4 * 9**0.5)], rtol=1e-12
    )
    np.testing.assert_allclose(class_weights(sizes, alpha=0.05, length_exponent=0), [0.5, 0.25], rtol=1e-12)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 3.0])
def test_classes_come_in_proportion_to_their_weights(exponent: float) -> None:
    sizes = split()
    params = WeightParams(length_exponent=exponent, draws_per_epoch=40_000, alpha=0)
    drawn = make_draws(sizes, params).draw(epoch_generator(0, 0))
    expected = np.array([1.0, 2.0, 4.0, 8.0]) ** -exponent
    assert chi_square(sizes.labels[drawn], expected / expected.sum()) < CHI_SQUARE_999
    assert chi_square(sizes.labels[drawn], shares(class_weights(sizes, alpha=0, length_exponent=exponent))) < (
        CHI_SQUARE_999
    )


def test_the_test_catches_draws_without_weights_and_draws_by_the_wrong_power() -> None:
    sizes = split()
    expected = np.array([1.0, 2.0, 4.0, 8.0]) ** -0.5
    generator = epoch_generator(0, 0)
    unweighted = sizes.labels[generator.integers(0, len(sizes), 40_000)]
    assert chi_square(unweighted, expected / expected.sum()) > 100 * CHI_SQUARE_999
    nearly = make_draws(sizes, WeightParams(length_exponent=0.6, draws_per_epoch=40_000, alpha=0)).draw(generator)
    assert chi_square(sizes.labels[nearly], expected / expected.sum()) > 3 * CHI_SQUARE_999


def test_all_utterances_of_a_class_come_alike() -> None:
    sizes = split()
    drawn = make_draws(sizes, WeightParams(draws_per_epoch=50_000)).draw(epoch_generator(0, 0))
    found = np.bincount(drawn, minlength=len(sizes))[sizes.labels == 2]
    expected = found.mean()
    assert float(((found - expected) ** 2 / expected).sum()) < 85.4  # the 0.999 quantile for 49 degrees of freedom


def test_an_epoch_has_as_many_draws_as_the_split_unless_told() -> None:
    assert len(make_draws(split(), WeightParams()).draw(epoch_generator(0, 0))) == sum(COUNTS)
    assert len(make_draws(split(), WeightParams(draws_per_epoch=7)).draw(epoch_generator(0, 0))) == 7


@pytest.mark.parametrize(
    ("labels", "seconds", "sentence"),
    [
        ([], [], "the sampler draws by class, but the split has no utterance."),
        (
            [0, 1, -1, 0, -1],
            [1.0] * 5,
            (
                "the sampler draws by class, so every utterance must have a label, but that at position 2 of the "
                "split, from 0, has none. Label it, or take another `sampler`."
            ),
        ),
        (
            [0, 2, 2],
            [1.0] * 3,
            (
                "the sampler draws by class, so every label must have an utterance, but the split has none of label "
                "number 1, from 0, of `labels`. Add some, or remove the label."
            ),
        ),
        (
            [0, 1, 1],
            [1.0, 0.0, 0.0],
            (
                "the utterances of label number 1, from 0, of `labels` have the mean length 0, by which the sampler "
                "divides: they have no audio, and `sampler.alpha` gives words no length. Set `length_exponent: 0`, or "
                "an `alpha` above 0."
            ),
        ),
    ],
)
def test_weights_that_cannot_be_are_refused_with_a_sentence(
    labels: list[int], seconds: list[float], sentence: str
) -> None:
    with pytest.raises(AssemblyError) as caught:
        make_draws(sizes_of(labels, seconds), WeightParams(alpha=0))
    assert str(caught.value) == sentence


def test_a_class_without_length_can_be_drawn_where_lengths_do_not_count() -> None:
    sizes = sizes_of([0, 1, 1], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(class_weights(sizes, alpha=0, length_exponent=0), [1, 0.5])
