"""Confidence intervals by a bootstrap clustered by speaker. Torch-free.

Utterances of one speaker are not independent, so whole speakers are drawn (Field and Welsh 2007, "Bootstrapping
clustered data"). With few speakers a percentile interval is too narrow, which `Interval.num_clusters` lets the reader
see; below `FEW_CLUSTERS` it is marked.
"""

from collections.abc import Callable
from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

FEW_CLUSTERS: Final = 20
NUM_DRAWS: Final = 2000


@attrs.frozen(kw_only=True)
class Interval:
    """A percentile interval and how many clusters it rests on."""

    low: float
    high: float
    level: float
    num_clusters: int

    @property
    def is_too_narrow(self) -> bool:
        """Whether so few speakers stand behind it that it covers less often than it says."""
        return self.num_clusters < FEW_CLUSTERS

    def __str__(self) -> str:
        return f"[{self.low:.3f}, {self.high:.3f}]"


def clustered_interval(
    metric: Callable[[NDArray[np.int64], NDArray[np.int64]], float],
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    *,
    clusters: NDArray[np.int64],
    seed: int,
    level: float = 0.95,
    num_draws: int = NUM_DRAWS,
) -> Interval:
    """The percentile interval of a metric over draws of whole clusters, with replacement.

    Args:
        metric: Of `truth (utterances,)` and `predicted (utterances,)`.
        truth: True classes.
        predicted: Predicted classes.
        clusters: The speaker of each utterance, as a number; an unknown speaker is a cluster of its own.
        seed: Of the draws.
        level: Share of draws inside.
        num_draws: Number of draws.
    """
    names, code = np.unique(clusters, return_inverse=True)
    members = [np.flatnonzero(code == index) for index in range(len(names))]
    generator = np.random.default_rng(seed)
    values = np.empty(num_draws)
    for draw in range(num_draws):
        chosen = generator.integers(len(names), size=len(names))
        rows = np.concatenate([members[index] for index in chosen])
        values[draw] = metric(truth[rows], predicted[rows])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level, num_clusters=len(names))


def fast_macro_f1(num_classes: int) -> Callable[[NDArray[np.int64], NDArray[np.int64]], float]:
    """`metrics.macro_f1` from the confusion counts alone, for the many draws of a bootstrap."""

    def metric(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
        counts = np.bincount(truth * num_classes + predicted, minlength=num_classes**2)
        confusion = counts.reshape(num_classes, num_classes)
        hits, actual, guessed = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        occurs = (actual + guessed) > 0
        return float((2 * hits[occurs] / (actual + guessed)[occurs]).mean())

    return metric
