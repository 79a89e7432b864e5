"""How often a model errs where it is allowed to abstain: risk against coverage. Torch-free.

Geifman and El-Yaniv 2017, "Selective classification for deep neural networks": the model abstains below a confidence;
coverage is the share that it keeps, risk the share of these that it has wrong.
"""

from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.errors import RunError

MOST_POINTS: Final = 200


@attrs.frozen(kw_only=True)
class OperatingPoint:
    """One threshold and what it does.

    Attributes:
        threshold: The lowest confidence that is kept.
        coverage: Share of the utterances kept.
        risk: Share of those kept that is wrong.
    """

    threshold: float
    coverage: float
    risk: float


@attrs.frozen(kw_only=True, eq=False)
class RiskCoverage:
    """Every threshold that can be told apart, from the highest; arrays `(thresholds,)`.

    Attributes:
        thresholds: Distinct confidences, falling.
        coverage: Rising to 1.
        risk: Of what is kept.
        aurc: Area under the risk-coverage curve: the mean risk over coverages of 1, 2, … utterances, where utterances
            of equal confidence are taken in a random order (Geifman, Uziel and El-Yaniv 2019).
    """

    thresholds: NDArray[np.float64]
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    aurc: float

    def points(self, *, most: int = MOST_POINTS) -> list[OperatingPoint]:
        """The curve for a picture or a file: its points, thinned evenly over the coverage to at most so many."""
        kept = range(len(self.thresholds))
        if len(kept) > most:
            wanted = np.linspace(self.coverage[0], 1.0, most)
            kept = np.unique(np.searchsorted(self.coverage, wanted - 1e-12)).tolist()
        return [self._point(index) for index in kept]

    def as_json(self) -> list[dict[str, Any]]:
        """Plain values for a JSON file."""
        return [attrs.asdict(point) for point in self.points()]

    def at_coverage(self, coverage: float) -> OperatingPoint:
        """The highest threshold that keeps at least this share of the utterances.

        Raises:
            ValueError: if `coverage` is no number from 0 to 1.
        """
        if not 0 <= coverage <= 1:
            raise ValueError(f"`coverage` must be a number from 0 to 1, but is {coverage} instead.")
        return self._point(int(np.searchsorted(self.coverage, coverage - 1e-12)))

    def at_risk(self, risk: float) -> OperatingPoint:
        """The threshold that keeps the most utterances at no more than this risk.

        Raises:
            RunError: if none does.
        """
        fitting = np.flatnonzero(self.risk <= risk)
        if not len(fitting):
            best = self._point(int(self.risk.argmin()))
            raise RunError(
                f"no threshold brings the risk down to {risk:g}: the lowest is {best.risk:.3f}, at a coverage of "
                f"{best.coverage:.3f}. Allow a higher risk."
            )
        return self._point(int(fitting[-1]))

    def _point(self, index: int) -> OperatingPoint:
        return OperatingPoint(
            threshold=float(self.thresholds[index]),
            coverage=float(self.coverage[index]),
            risk=float(self.risk[index]),
        )


def risk_coverage(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> RiskCoverage:
    """The curve of `confidence (utterances,)` and `hits (utterances,)`.

    Raises:
        ValueError: if there is no utterance.
    """
    if not len(confidence):
        raise ValueError("`confidence` must hold at least one utterance, but holds none instead.")
    thresholds, tie = np.unique(-confidence, return_inverse=True)  # the most confident first
    counts = np.bincount(tie)
    errors = np.bincount(tie, weights=~hits)
    kept, wrong = counts.cumsum(), errors.cumsum()
    each = np.repeat(errors / counts, counts)  # of utterances of equal confidence each has the mean error
    expected = each.cumsum() / np.arange(1, len(confidence) + 1)
    return RiskCoverage(
        thresholds=-thresholds,
        coverage=kept / len(confidence),
        risk=wrong / kept,
        aurc=float(expected.mean()),
    )


def risk_at(confidence: NDArray[np.float64], hits: NDArray[np.bool_], threshold: float) -> tuple[float, float | None]:
    """Coverage and risk of a threshold chosen elsewhere; the risk is None where nothing is kept."""
    kept = confidence >= threshold
    return float(kept.mean()), float(1 - hits[kept].mean()) if kept.any() else None
