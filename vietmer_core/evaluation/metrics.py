"""Scores of predicted classes, under the field's names and as scikit-learn defines them. Torch-free.

`accuracy` is weighted accuracy (WA), `balanced_accuracy` the unweighted average recall (UA, UAR) over the classes that
occur in the truth, `macro_f1` the mean F1 over the classes that occur in the truth or the predictions (scikit-learn's
default), `loss` the mean negative log-likelihood of the true class, in nats. They are computed here from the counts of
(true, predicted), and tests hold them to scikit-learn, which a process that trains therefore need not import.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.evaluation.cluster_sums import ratio, scores_of_counts


@attrs.frozen(kw_only=True, eq=False)
class Scores:
    """Scores of one split.

    Attributes:
        labels: The label space, the order of every array.
        num_utterances: Utterances scored.
        summary: accuracy, balanced_accuracy, macro_f1, weighted_f1, loss.
        precision: `(classes,)`; 0 where nothing was predicted so.
        recall: `(classes,)`; 0 where nothing is so.
        f1: `(classes,)`.
        support: `(classes,)` true utterances.
        confusion: `(classes, classes)` counts, true class in rows.
    """

    labels: tuple[str, ...]
    num_utterances: int
    summary: dict[str, float]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]
    confusion: NDArray[np.int64]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        rows = zip(self.labels, self.precision, self.recall, self.f1, self.support, strict=True)
        return {
            "num_utterances": self.num_utterances,
            **self.summary,
            "per_class": {
                label: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
                for label, p, r, f, n in rows
            },
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
        }


def score(probabilities: NDArray[np.float64], truth: NDArray[np.int64], labels: Sequence[str]) -> Scores:
    """Score `probabilities (utterances, classes)` against `truth (utterances,)`.

    Raises:
        ValueError: if there is no utterance.
    """
    if not len(truth):
        raise ValueError("`truth` must hold at least one utterance, but holds none instead.")
    cells = truth * len(labels) + probabilities.argmax(axis=1)
    counts = np.bincount(cells, minlength=len(labels) ** 2).astype(np.int64)
    confusion = counts.reshape(len(labels), len(labels))
    hits, actual, guessed = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    likelihood = np.clip(probabilities[np.arange(len(truth)), truth], np.finfo(np.float64).tiny, 1.0)
    summary = {name: float(value) for name, value in scores_of_counts(confusion).items()}
    return Scores(
        labels=tuple(labels),
        num_utterances=len(truth),
        summary={**summary, "loss": float(-np.log(likelihood).mean())},
        precision=ratio(hits, guessed),
        recall=ratio(hits, actual),
        f1=ratio(2 * hits, actual + guessed),
        support=actual,
        confusion=confusion,
    )
