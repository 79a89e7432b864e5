"""Scores of probabilities: loss, Brier score, calibration errors, and the bins of a reliability diagram. Torch-free.

Guo et al. 2017, "On calibration of modern neural networks"; Brier 1950; Kull et al. 2019, "Beyond temperature scaling".
"""

from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

NUM_BINS: Final = 15
TINY: Final = float(np.finfo(np.float64).tiny)


@attrs.frozen(kw_only=True)
class ReliabilityBin:
    """The utterances whose confidence lies in one span.

    Attributes:
        low: Confidence above which it begins.
        high: Confidence up to which it goes.
        count: Utterances in it.
        confidence: Their mean confidence; None where there is none.
        accuracy: The share of them that is right; None where there is none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@attrs.frozen(kw_only=True)
class ProbabilityScores:
    """How far probabilities can be believed; docs/metrics.md defines each."""

    nll: float
    brier: float
    ece: float
    adaptive_ece: float
    classwise_ece: float
    reliability: tuple[ReliabilityBin, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return attrs.asdict(self)


def probability_scores(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> ProbabilityScores:
    """Score `probabilities (utterances, classes)` against `truth (utterances,)`."""
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    return ProbabilityScores(
        nll=float(loss_by_utterance(probabilities, truth).mean()),
        brier=float(brier_by_utterance(probabilities, truth).mean()),
        ece=expected_calibration_error(confidence, hits),
        adaptive_ece=adaptive_calibration_error(confidence, hits),
        classwise_ece=classwise_calibration_error(probabilities, truth),
        reliability=reliability_bins(confidence, hits),
    )


def loss_by_utterance(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Negative log-likelihood `(utterances,)` of the true class, nats; a probability of 0 counts as 2.2e-308."""
    likelihood = np.clip(probabilities[np.arange(len(truth)), truth], TINY, 1.0)
    loss: NDArray[np.float64] = -np.log(likelihood)
    return loss


def brier_by_utterance(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Squared distance `(utterances,)` of the probabilities from the truth, summed over the classes: 0 to 2."""
    target = np.zeros_like(probabilities)
    target[np.arange(len(truth)), truth] = 1.0
    distance: NDArray[np.float64] = ((probabilities - target) ** 2).sum(axis=1)
    return distance


def _bin_of(confidence: NDArray[np.float64], num_bins: int) -> NDArray[np.int64]:
    """The bin `((m - 1) / bins, m / bins]` of each; 0 falls into the first."""
    return np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)


def reliability_bins(
    confidence: NDArray[np.float64], hits: NDArray[np.bool_], *, num_bins: int = NUM_BINS
) -> tuple[ReliabilityBin, ...]:
    """Bins of equal width over `confidence (utterances,)`, with the mean of it and of `hits (utterances,)` in each."""
    code = _bin_of(confidence, num_bins)
    counts = np.bincount(code, minlength=num_bins)
    sums = np.bincount(code, weights=confidence, minlength=num_bins)
    right = np.bincount(code, weights=hits, minlength=num_bins)
    return tuple(
        ReliabilityBin(
            low=index / num_bins,
            high=(index + 1) / num_bins,
            count=int(count),
            confidence=float(sums[index] / count) if count else None,
            accuracy=float(right[index] / count) if count else None,
        )
        for index, count in enumerate(counts)
    )


def expected_calibration_error(
    confidence: NDArray[np.float64], hits: NDArray[np.bool_], *, num_bins: int = NUM_BINS
) -> float:
    """ECE: mean |accuracy - confidence| over bins of equal width, weighted by their utterances (Guo et al. 2017)."""
    return _mean_gap(confidence, hits.astype(np.float64), _bin_of(confidence, num_bins))


def adaptive_calibration_error(
    confidence: NDArray[np.float64], hits: NDArray[np.bool_], *, num_bins: int = NUM_BINS
) -> float:
    """As `expected_calibration_error` with bins of equally many utterances (Nguyen and O'Connor 2015).

    Utterances of equal confidence share their mean accuracy, so that their order has no effect.
    """
    order = np.argsort(confidence, kind="stable")
    _, tie = np.unique(confidence[order], return_inverse=True)
    shared = (np.bincount(tie, weights=hits[order]) / np.bincount(tie))[tie]
    sizes = [len(part) for part in np.array_split(order, num_bins)]
    return _mean_gap(confidence[order], shared, np.repeat(np.arange(num_bins), sizes))


def classwise_calibration_error(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], *, num_bins: int = NUM_BINS
) -> float:
    """The mean over the classes of the calibration error of each class's probability (Kull et al. 2019)."""
    errors = []
    for index in range(probabilities.shape[1]):
        values = probabilities[:, index]
        errors.append(_mean_gap(values, (truth == index).astype(np.float64), _bin_of(values, num_bins)))
    return float(np.mean(errors))


def _mean_gap(values: NDArray[np.float64], target: NDArray[np.float64], code: NDArray[np.int64]) -> float:
    """|Σ values - Σ target| of each bin, summed and divided by the number of utterances."""
    return float(np.abs(np.bincount(code, weights=values - target)).sum() / len(values))
