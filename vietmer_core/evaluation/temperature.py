"""Temperature scaling: one number that makes probabilities honest and changes no prediction. Torch-free.

Guo et al. 2017, "On calibration of modern neural networks", section 4.2.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from vietmer_core.errors import RunError
from vietmer_core.evaluation.reliability import TINY

LOWEST: Final = 0.01
HIGHEST: Final = 100.0
FLAT: Final = 1e-9
"""A slope of the loss, at even probabilities, that is rounding."""


def with_temperature(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """The softmax of the logits divided by `temperature`, from `probabilities (utterances, classes)`.

    The logits are, up to a constant, the logarithms of the probabilities. The most probable class stays the same: where
    rounding makes it equal to another, it is raised by one unit in the last place.

    Raises:
        ValueError: if `temperature` is not a positive number.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"`temperature` must be a positive number, but is {temperature} instead.")
    if temperature == 1:
        return probabilities
    scaled = np.log(np.maximum(probabilities, TINY)) / temperature
    found: NDArray[np.float64] = np.exp(scaled - logsumexp(scaled, axis=1, keepdims=True))
    before = probabilities.argmax(axis=1)
    tied = np.flatnonzero(found.argmax(axis=1) != before)
    found[tied, before[tied]] = np.nextafter(found[tied].max(axis=1), 2.0)
    return found


def fit_temperature(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature of the smallest loss on `probabilities (utterances, classes)` and `truth (utterances,)`.

    The loss is convex in 1 / temperature, so it has one minimum, or falls for ever: towards 0 where no utterance is
    predicted wrongly, towards infinity where the true labels are no likelier than the mean of all.

    Raises:
        RunError: if no temperature is the best, or the best lies beyond 0.01 or 100.
    """
    logs = np.log(np.maximum(probabilities, TINY))
    true_logs = logs[np.arange(len(truth)), truth]
    tells_nothing = bool((true_logs - logs.mean(axis=1)).mean() <= FLAT)
    errs_never = bool((true_logs >= logs.max(axis=1)).all())

    def loss(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float((logsumexp(logs * inverse, axis=1) - true_logs * inverse).mean())

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    best = float(found.x)
    margin = 1e-3
    if not tells_nothing and (errs_never or best < bounds[0] + margin):
        raise RunError(
            "no temperature fits: the model predicts the utterances it is fitted on without an error, so it cannot "
            "be too sure. Calibrate on more utterances, or on ones that did not choose the model."
        )
    if tells_nothing or best > bounds[1] - margin:
        raise RunError(
            "no temperature fits: the probabilities say nothing of the true labels, so that even ones are the best. "
            "Look at the scores of the validation split first."
        )
    return float(np.exp(best))
