"""`Cost`: how far splits are from their shares of every label. Torch-free."""

from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

ABSENCE: Final = 0.5
"""Price of a label that a split lacks. In the same unit, a test split of twice its share of 15 % costs about 0.2: a
label is kept in all splits at the price of uneven sizes, but not at any price."""

DIGITS: Final = 12
"""Costs are compared to so many digits, so that the last bits of a processor decide nothing."""


@attrs.frozen(kw_only=True, eq=False)
class Cost:
    """Pearson's chi-square of the counts against their shares, divided by the rows, and a price for absent labels.

    Attributes:
        shares: `(splits,)`.
        wanted: `(splits, columns)` counts by the shares.
        prices: `(splits,)` price of a label that the split lacks.
        rows: Sum of all counts.
    """

    shares: NDArray[np.float64]
    wanted: NDArray[np.float64]
    prices: NDArray[np.float64]
    rows: float

    @classmethod
    def of(cls, totals: NDArray[np.float64], shares: NDArray[np.float64], *, first_trains: bool) -> "Cost":
        """The cost of splitting `totals (columns,)`, each above 0, by shares.

        Where the first split trains, a label that it lacks has twice the price: nothing can be learnt of it.
        """
        prices = np.full(len(shares), ABSENCE)
        prices[0] *= 1 + first_trains
        return cls(shares=shares, wanted=np.outer(shares, totals), prices=prices, rows=float(totals.sum()))

    def of_split(self, counts: NDArray[np.float64], split: int) -> NDArray[np.float64]:
        """The cost of one split for many possible counts, `(…, columns)` to `(…,)`."""
        return self._of(counts, self.wanted[split], self.prices[split : split + 1])

    def of_each(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """The cost of every split, `(splits,)`, of `totals (splits, columns)`."""
        return self._of(totals, self.wanted, self.prices)

    def total(self, totals: NDArray[np.float64]) -> float:
        """The cost of all splits together."""
        return float(self.of_each(totals).sum())

    def _of(
        self, counts: NDArray[np.float64], wanted: NDArray[np.float64], prices: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        distance = ((counts - wanted) ** 2 / wanted).sum(axis=-1) / self.rows
        cost: NDArray[np.float64] = np.round(distance + prices * (counts <= 0).sum(axis=-1), DIGITS)
        return cost
