"""Scores of predicted classes, by scikit-learn under the field's names. Torch-free.

`accuracy` is weighted accuracy (WA), `balanced_accuracy` the unweighted average recall (UA, UAR) over the classes that
occur in the truth, `macro_f1` the mean F1 over the classes that occur in the truth or the predictions (scikit-learn's
default), `loss` the mean negative log-likelihood of the true class, in nats.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    recall_score,
)


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


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """The mean F1 over the classes that occur in the truth or the predictions."""
    return float(f1_score(truth, predicted, average="macro", zero_division=0))


def score(probabilities: NDArray[np.float64], truth: NDArray[np.int64], labels: Sequence[str]) -> Scores:
    """Score `probabilities (utterances, classes)` against `truth (utterances,)`.

    Raises:
        ValueError: if there is no utterance.
    """
    if not len(truth):
        raise ValueError("`truth` must hold at least one utterance, but holds none instead.")
    predicted = probabilities.argmax(axis=1)
    classes = list(range(len(labels)))
    per_class = precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
    likelihood = np.clip(probabilities[np.arange(len(truth)), truth], np.finfo(np.float64).tiny, 1.0)
    return Scores(
        labels=tuple(labels),
        num_utterances=len(truth),
        summary={
            "accuracy": float(accuracy_score(truth, predicted)),
            "balanced_accuracy": balanced_accuracy(truth, predicted),
            "macro_f1": macro_f1(truth, predicted),
            "weighted_f1": float(f1_score(truth, predicted, average="weighted", zero_division=0)),
            "loss": float(-np.log(likelihood).mean()),
        },
        precision=per_class[0],
        recall=per_class[1],
        f1=per_class[2],
        support=per_class[3],
        confusion=confusion_matrix(truth, predicted, labels=classes),
    )


def balanced_accuracy(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """The mean recall over the classes of the truth, as `balanced_accuracy_score`, without its warnings."""
    return float(recall_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0))
