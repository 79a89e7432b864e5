"""Draws with replacement, in which rare classes come as often as frequent ones. Torch-free."""

from typing import final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.batch_params import WeightParams
from vietmer_core.data.batching import mixed_lengths
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import AssemblyError


@final
@attrs.frozen(kw_only=True, eq=False)
class ClassDraws:
    """Independent draws with replacement: a class in proportion to its mass, then any of its utterances alike.

    Attributes:
        by_class: `(utterances,)` int64 positions in the split, class after class.
        counts: `(classes,)` int64 utterances of each class, at least 1.
        cumulative: `(classes,)` float64 sums of the probabilities of the classes up to each; the last one is 1.
        num_draws: Draws of an epoch.
    """

    by_class: NDArray[np.int64]
    counts: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    num_draws: int

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions in the split, `(draws,)`, in random order."""
        label = np.searchsorted(self.cumulative, generator.random(self.num_draws), side="right")  # (draws,)
        within = generator.integers(0, self.counts[label])  # (draws,)
        begins = np.cumsum(self.counts) - self.counts  # (classes,)
        found: NDArray[np.int64] = self.by_class[begins[label] + within]  # (draws,)
        return found


def class_weights(sizes: UtteranceSizes, *, alpha: float, length_exponent: float) -> NDArray[np.float64]:
    """The weight of an utterance of each class, `(classes,)`: 1 / (n · mean length^exponent) of the class.

    n is the number of utterances of the class and the length is `audio_seconds + alpha * text_words`. So a class is
    drawn in proportion to mean length^-exponent: all alike with the exponent 0, with 1 each for as much time.

    Raises:
        AssemblyError: if there is no utterance, one has no label, a class has none, or all those of a class are of
            length 0 while the exponent is not.
    """
    labels = sizes.labels.astype(np.int64)
    if not len(labels):
        raise AssemblyError("the sampler draws by class, but the split has no utterance.")
    if labels.min() < 0:
        raise AssemblyError(
            "the sampler draws by class, so every utterance must have a label, but that at position "
            f"{int(np.argmin(labels))} of the split, from 0, has none. Label it, or take another `sampler`."
        )
    counts = np.bincount(labels)  # (classes,)
    if not counts.all():
        raise AssemblyError(
            "the sampler draws by class, so every label must have an utterance, but the split has none of label "
            f"number {int(np.argmin(counts))}, from 0, of `labels`. Add some, or remove the label."
        )
    means = np.bincount(labels, weights=mixed_lengths(sizes, alpha=alpha)) / counts  # (classes,)
    if length_exponent and not means.all():
        raise AssemblyError(
            f"the utterances of label number {int(np.argmin(means))}, from 0, of `labels` have the mean length 0, by "
            "which the sampler divides: they have no audio, and `sampler.alpha` gives words no length. Set "
            "`length_exponent: 0`, or an `alpha` above 0."
        )
    return 1 / (counts * means**length_exponent)  # (classes,)


def make_draws(sizes: UtteranceSizes, params: WeightParams) -> ClassDraws:
    """The draws of a split.

    Raises:
        AssemblyError: where `class_weights` does.
    """
    weights = class_weights(sizes, alpha=params.alpha, length_exponent=params.length_exponent)
    counts = np.bincount(sizes.labels)  # (classes,)
    cumulative = np.cumsum(weights * counts)  # (classes,)
    return ClassDraws(
        by_class=np.argsort(sizes.labels, kind="stable"),
        counts=counts,
        cumulative=cumulative / cumulative[-1],
        num_draws=len(sizes) if params.draws_per_epoch is None else params.draws_per_epoch,
    )
