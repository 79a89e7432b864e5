"""McNemar's test of two models over the same utterances. Torch-free."""

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, binomtest


@attrs.frozen(kw_only=True)
class McNemar:
    """McNemar's test (1947), exact: given the utterances that one model alone has right, a binomial of one half.

    It takes utterances for independent, which those of one speaker are not: it finds differences too often where
    models differ from speaker to speaker.

    Attributes:
        first_only: Utterances that the first model alone has right.
        second_only: Utterances that the second alone has right.
        p: Two-sided, exact.
        mid_p: Counts the probability of the table found by half; nearer to the level than `p`, which is too large
            (Fagerland, Lydersen and Laake 2013).
        g: Cohen's g, the share of `first_only` among both, minus one half; None where there are none.
        odds_ratio: `first_only / second_only`; None where `second_only` is 0.
        odds_ratio_low: Lower limit of its exact interval of 95 % (Clopper and Pearson 1934).
        odds_ratio_high: Upper limit; None where it is infinite.
    """

    first_only: int
    second_only: int
    p: float
    mid_p: float
    g: float | None
    odds_ratio: float | None
    odds_ratio_low: float
    odds_ratio_high: float | None

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return attrs.asdict(self)


def mcnemar(truth: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]) -> McNemar:
    """McNemar's test of `first (utterances,)` against `second (utterances,)`, predicted classes."""
    right, other = first == truth, second == truth
    return mcnemar_of_counts(int((right & ~other).sum()), int((other & ~right).sum()))


def mcnemar_of_counts(first_only: int, second_only: int) -> McNemar:
    """McNemar's test of the two counts of utterances that one model alone has right."""
    number = first_only + second_only
    exact = 1.0 if not number else float(binomtest(first_only, number, 0.5).pvalue)
    found = float(binom.pmf(first_only, number, 0.5))
    mid = 1.0 if first_only == second_only else exact - found
    low, high = _share_interval(first_only, number)
    return McNemar(
        first_only=first_only,
        second_only=second_only,
        p=exact,
        mid_p=mid,
        g=first_only / number - 0.5 if number else None,
        odds_ratio=first_only / second_only if second_only else None,
        odds_ratio_low=low / (1 - low),
        odds_ratio_high=high / (1 - high) if high < 1 else None,
    )


def _share_interval(hits: int, number: int, *, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share."""
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, number - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, number - hits)) if hits < number else 1.0
    return low, high
