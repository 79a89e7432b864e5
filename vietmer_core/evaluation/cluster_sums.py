"""What the scores need of each speaker, summed, so that thousands of draws cost one product of matrices. Torch-free.

Every score here is a function of the counts of (true, predicted) and of summed losses. A draw of speakers is a vector
of how often each was drawn; its sums are that vector times the sums of each speaker.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.reliability import brier_by_utterance, loss_by_utterance

METRICS: Final = ("macro_f1", "balanced_accuracy", "accuracy", "weighted_f1", "loss", "brier")
"""Scores that are functions of the sums, in the order of the last axis of `metrics_of_sums`."""
SHARES: Final = frozenset({"macro_f1", "balanced_accuracy", "accuracy", "weighted_f1"})
"""Those that lie between 0 and 1."""


def cluster_sums(outcomes: Outcomes) -> NDArray[np.float64]:
    """`(clusters, classes² + 2)`: counts of (true, predicted) in rows, summed loss, summed Brier score."""
    num_classes = len(outcomes.labels)
    _, codes = np.unique(outcomes.clusters, return_inverse=True)
    num_clusters, num_cells = int(codes.max()) + 1, num_classes**2
    cells = outcomes.truth * num_classes + outcomes.predicted
    counts = np.bincount(codes * num_cells + cells, minlength=num_clusters * num_cells)
    losses = [
        np.bincount(codes, weights=values, minlength=num_clusters)
        for values in (
            loss_by_utterance(outcomes.probabilities, outcomes.truth),
            brier_by_utterance(outcomes.probabilities, outcomes.truth),
        )
    ]
    return np.column_stack([counts.reshape(num_clusters, num_cells).astype(np.float64), *losses])


def scores_of_counts(confusion: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """macro_f1, balanced_accuracy, accuracy and weighted_f1, `(…)` each, of counts `(…, classes, classes)`."""
    hits = np.einsum("...ii->...i", confusion)  # (…, classes)
    actual, guessed = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = actual.sum(axis=-1)
    f1 = ratio(2 * hits, actual + guessed)
    return {
        "macro_f1": ratio(f1.sum(axis=-1), (actual + guessed > 0).sum(axis=-1)),
        "balanced_accuracy": ratio(ratio(hits, actual).sum(axis=-1), (actual > 0).sum(axis=-1)),
        "accuracy": ratio(hits.sum(axis=-1), total),
        "weighted_f1": ratio((f1 * actual).sum(axis=-1), total),
    }


def metrics_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """`METRICS` of sums `(…, classes² + 2)`: `(…, metrics)`; NaN where the sums are of no utterance."""
    num_classes = round((sums.shape[-1] - 2) ** 0.5)
    confusion = sums[..., :-2].reshape(*sums.shape[:-1], num_classes, num_classes)
    total = confusion.sum(axis=(-2, -1))
    means = {"loss": ratio(sums[..., -2], total), "brier": ratio(sums[..., -1], total)}
    found = {**scores_of_counts(confusion), **means}
    return np.where(total[..., None] > 0, np.stack([found[name] for name in METRICS], axis=-1), np.nan)


def metric_of_sums(sums: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """One of `METRICS`, of sums `(…, classes² + 2)`."""
    found: NDArray[np.float64] = metrics_of_sums(sums)[..., METRICS.index(metric)]
    return found


def ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """The quotient, 0 where it is of nothing."""
    quotient: NDArray[np.float64] = np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)
    return quotient
