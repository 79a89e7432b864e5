"""Scores against plain formulas and against scikit-learn."""

import inspect
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from tests.unit.evaluation.drawn import LABELS, outcomes
from vietmer_core.evaluation.cluster_sums import METRICS, cluster_sums, metric_of_sums, metrics_of_sums
from vietmer_core.evaluation.metrics import score
from vietmer_core.evaluation.outcomes import Outcomes


def plain_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64], label: int) -> float:
    hits = int(((truth == label) & (predicted == label)).sum())
    return 2 * hits / int((truth == label).sum() + (predicted == label).sum())


@given(outcomes())
def test_scores_equal_the_plain_formulas(found: Outcomes) -> None:
    scores = score(found.probabilities, found.truth, found.labels)
    truth, predicted = found.truth, found.predicted
    occurring = sorted(set(truth.tolist()) | set(predicted.tolist()))
    recalls = [float((predicted[truth == label] == label).mean()) for label in sorted(set(truth.tolist()))]
    true_f1 = [plain_f1(truth, predicted, label) for label in truth.tolist()]
    likelihood = np.maximum([p[t] for p, t in zip(found.probabilities, truth, strict=True)], np.finfo(float).tiny)
    assert scores.summary["accuracy"] == pytest.approx((truth == predicted).mean())
    assert scores.summary["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert scores.summary["macro_f1"] == pytest.approx(np.mean([plain_f1(truth, predicted, i) for i in occurring]))
    assert scores.summary["weighted_f1"] == pytest.approx(np.mean(true_f1))
    assert scores.summary["loss"] == pytest.approx(-np.log(likelihood).mean())
    assert scores.confusion.sum() == len(truth)
    assert scores.support.tolist() == np.bincount(truth, minlength=len(found.labels)).tolist()


@given(outcomes())
def test_scores_equal_those_of_scikit_learn(found: Outcomes) -> None:
    scores = score(found.probabilities, found.truth, found.labels)
    summary, truth, predicted = scores.summary, found.truth, found.predicted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted but never true
        balanced = sklearn_metrics.balanced_accuracy_score(truth, predicted)
    assert summary["balanced_accuracy"] == pytest.approx(balanced)
    assert summary["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted))
    for name in ("macro", "weighted"):
        f1 = sklearn_metrics.f1_score(truth, predicted, average=name, zero_division=0)
        assert summary[f"{name}_f1"] == pytest.approx(f1)
    classes = range(len(found.labels))
    each = sklearn_metrics.precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
    for own, theirs in zip((scores.precision, scores.recall, scores.f1, scores.support), each, strict=True):
        np.testing.assert_allclose(own, theirs)


@given(outcomes())
def test_the_sums_of_clusters_tell_every_score(found: Outcomes) -> None:
    summary = score(found.probabilities, found.truth, found.labels).summary
    sums = cluster_sums(found)
    assert len(sums) == found.num_clusters
    of_all = dict(zip(METRICS, metrics_of_sums(sums.sum(axis=0)), strict=True))
    for name in ("macro_f1", "balanced_accuracy", "accuracy", "weighted_f1", "loss"):
        assert of_all[name] == pytest.approx(summary[name])


def macro_f1_over_all_classes(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts a class that never occurs as one of F1 0."""
    num_classes = round((sums.shape[-1] - 2) ** 0.5)
    confusion = sums[..., :-2].reshape(*sums.shape[:-1], num_classes, num_classes)
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    result: NDArray[np.float64] = (2 * np.einsum("...ii->...i", confusion) / np.maximum(both, 1)).mean(axis=-1)
    return result


@pytest.mark.parametrize(
    ("metric", "agrees"),
    [(lambda sums: metric_of_sums(sums, "macro_f1"), True), (macro_f1_over_all_classes, False)],
)
def test_a_mean_over_absent_classes_is_caught(
    metric: Callable[[NDArray[np.float64]], NDArray[np.float64]], *, agrees: bool
) -> None:
    @given(outcomes())
    def check(found: Outcomes) -> None:
        wanted = score(found.probabilities, found.truth, found.labels).summary["macro_f1"]
        assert metric(cluster_sums(found).sum(axis=0)) == pytest.approx(wanted)

    if agrees:
        check()
    else:
        with pytest.raises(AssertionError):
            check()


def test_sums_of_nothing_have_no_score() -> None:
    assert np.isnan(metrics_of_sums(np.zeros((2, 11)))).all()


def test_a_confusion_equals_that_of_scikit_learn() -> None:
    truth, predicted = np.array([0, 1, 1, 2]), np.array([1, 1, 0, 2])
    found = score(np.eye(3)[predicted], truth, LABELS)
    assert found.confusion.tolist() == sklearn_metrics.confusion_matrix(truth, predicted).tolist()


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one utterance"):
        score(np.empty((0, 3)), np.empty(0, np.int64), LABELS)


def test_certainty_of_a_wrong_class_gives_a_finite_loss() -> None:
    assert np.isfinite(score(np.array([[1.0, 0.0, 0.0]]), np.array([1]), LABELS).summary["loss"])


def test_every_metric_has_a_definition_in_the_documentation() -> None:
    from pathlib import Path

    page = (Path(inspect.getfile(score)).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name in (*METRICS, "ece", "adaptive_ece", "classwise_ece", "nll", "aurc", "coverage", "risk"):
        assert f"`{name}`" in page
