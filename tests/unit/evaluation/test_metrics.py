"""Scores against plain formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.evaluation.intervals import clustered_interval, fast_macro_f1
from vietmer_core.evaluation.metrics import macro_f1, score

LABELS = ("a", "b", "c")


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    count = draw(st.integers(1, 30))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    return generator.dirichlet(np.ones(3), size=count), generator.integers(0, 3, size=count)


def plain_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64], label: int) -> float:
    hits = int(((truth == label) & (predicted == label)).sum())
    return 2 * hits / int((truth == label).sum() + (predicted == label).sum())


@given(outcomes())
def test_scores_equal_the_plain_formulas(outcome: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    probabilities, truth = outcome
    scores = score(probabilities, truth, LABELS)
    predicted = probabilities.argmax(axis=1)
    occurring = sorted(set(truth.tolist()) | set(predicted.tolist()))
    recalls = [float((predicted[truth == label] == label).mean()) for label in sorted(set(truth.tolist()))]
    assert scores.summary["accuracy"] == pytest.approx((truth == predicted).mean())
    assert scores.summary["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert scores.summary["macro_f1"] == pytest.approx(np.mean([plain_f1(truth, predicted, i) for i in occurring]))
    assert scores.summary["loss"] == pytest.approx(
        np.mean([-np.log(p[t]) for p, t in zip(probabilities, truth, strict=True)])
    )
    assert scores.confusion.sum() == len(truth)
    assert scores.support.tolist() == np.bincount(truth, minlength=3).tolist()
    assert fast_macro_f1(3)(truth, predicted) == pytest.approx(macro_f1(truth, predicted))


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one utterance"):
        score(np.empty((0, 3)), np.empty(0, np.int64), LABELS)


def test_certainty_of_a_wrong_class_gives_a_finite_loss() -> None:
    assert np.isfinite(score(np.array([[1.0, 0.0, 0.0]]), np.array([1]), LABELS).summary["loss"])


def test_whole_speakers_are_drawn() -> None:
    """One speaker always right, one always wrong: only whole-speaker draws reach both 0 and 1."""
    truth = np.zeros(40, np.int64)
    predicted = np.repeat([0, 1], 20)
    speakers = np.repeat([7, 9], 20)

    def accuracy(drawn: NDArray[np.int64], guessed: NDArray[np.int64]) -> float:
        return float((drawn == guessed).mean())

    by_speaker = clustered_interval(accuracy, truth, predicted, clusters=speakers, seed=0)
    assert (by_speaker.low, by_speaker.high) == (0.0, 1.0)
    assert by_speaker.num_clusters == 2
    assert by_speaker.is_too_narrow
    by_utterance = clustered_interval(accuracy, truth, predicted, clusters=np.arange(40), seed=0)
    assert 0.3 < by_utterance.low < by_utterance.high < 0.7


def test_the_interval_is_a_function_of_its_seed() -> None:
    generator = np.random.default_rng(0)
    truth, predicted = generator.integers(0, 3, 60), generator.integers(0, 3, 60)
    clusters = generator.integers(0, 12, 60)
    found = [clustered_interval(fast_macro_f1(3), truth, predicted, clusters=clusters, seed=seed) for seed in (1, 1, 2)]
    assert found[0] == found[1]
    assert found[0] != found[2]
