"""Corrections of p-values: for many tests (Holm), and for folds that share training data (Nadeau and Bengio).

Torch-free.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979), which keeps the chance of any false finding at the level.

    The smallest of m values is multiplied by m, the next by m - 1 and so on, and none becomes smaller than one before.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]


@attrs.frozen(kw_only=True)
class ResampledTest:
    """The corrected resampled t-test over folds (Nadeau and Bengio 2003, "Inference for the generalization error").

    Attributes:
        difference: Mean over the folds of all seeds.
        statistic: The mean divided by its corrected standard error; None where all differences are equal.
        degrees: Of freedom.
        p: Two-sided.
        ratio: Utterances tested in a fold over those of all other folds.
        num_differences: Folds times seeds.
    """

    difference: float
    statistic: float | None
    degrees: int
    p: float
    ratio: float
    num_differences: int

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return attrs.asdict(self)


def corrected_resampled_t(differences: NDArray[np.float64], *, ratio: float) -> ResampledTest:
    """Test `differences (folds,)`, those of all seeds in a row.

    The variance s² / J of the mean of J differences supposes that they are independent, but any two folds share most
    of their training data; it becomes s² (1 / J + ratio).

    Args:
        differences: Of a metric, one a fold and seed.
        ratio: Utterances tested over utterances trained on.

    Raises:
        ValueError: if there are fewer than two differences.
    """
    number = len(differences)
    if number < 2:
        raise ValueError(f"`differences` must hold at least 2 folds, but holds {number} instead.")
    mean, variance = float(differences.mean()), float(differences.var(ddof=1))
    degrees = number - 1
    found = ResampledTest(difference=mean, statistic=None, degrees=degrees, p=1.0, ratio=ratio, num_differences=number)
    if variance <= np.finfo(np.float64).eps ** 2:
        return attrs.evolve(found, p=1.0 if abs(mean) < 1e-12 else 0.0)
    statistic = mean / float(np.sqrt(variance * (1 / number + ratio)))
    return attrs.evolve(found, statistic=statistic, p=float(2 * student.sf(abs(statistic), degrees)))
