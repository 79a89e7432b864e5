"""Scores by scikit-learn, to hold ours to. It warns of classes that are predicted but never true; we do not."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, recall_score


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """The mean F1 over the classes that occur in the truth or the predictions."""
    return float(f1_score(truth, predicted, average="macro", zero_division=0))


def balanced_accuracy(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """The mean recall over the classes of the truth."""
    return float(recall_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0))
