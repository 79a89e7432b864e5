"""`Placement`: how many groups of each profile stand in each split, while that is being improved. Torch-free."""

from typing import final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.splitting.cost import Cost


@final
@attrs.frozen(kw_only=True, eq=False)
class Placement:
    """The arrays `placed` and `totals` change in place.

    Attributes:
        profiles: `(profiles, columns)` counts of one group of each profile.
        placed: `(profiles, splits)` groups of each profile in each split, without pinned ones.
        totals: `(splits, columns)` counts of each split, with pinned groups.
        num_pinned: `(splits,)` groups that stay where they are.
        cost: What is to become small.
    """

    profiles: NDArray[np.float64]
    placed: NDArray[np.int64]
    totals: NDArray[np.float64]
    num_pinned: NDArray[np.int64]
    cost: Cost

    @classmethod
    def empty(
        cls, profiles: NDArray[np.float64], *, cost: Cost, pinned: NDArray[np.float64], num_pinned: int
    ) -> "Placement":
        """No group placed, but those pinned to the first split, `pinned (columns,)` in all."""
        splits = len(cost.shares)
        totals = np.zeros((splits, profiles.shape[1]))
        totals[0] = pinned
        held = np.zeros(splits, dtype=np.int64)
        held[0] = num_pinned
        placed = np.zeros((len(profiles), splits), dtype=np.int64)
        return cls(profiles=profiles, placed=placed, totals=totals, num_pinned=held, cost=cost)

    @property
    def num_groups(self) -> NDArray[np.int64]:
        """Groups of each split, `(splits,)`."""
        held: NDArray[np.int64] = self.placed.sum(axis=0) + self.num_pinned
        return held

    def add(self, profile: int, amounts: NDArray[np.int64]) -> None:
        """Place groups of a profile, `amounts (splits,)`, or take them away where that is negative."""
        self.placed[profile] += amounts
        self.totals[:] += np.outer(amounts, self.profiles[profile])

    def move(self, profile: int, *, source: int, target: int, amount: int = 1) -> None:
        """Move groups of a profile from one split to another."""
        amounts = np.zeros(len(self.totals), dtype=np.int64)
        amounts[source], amounts[target] = -amount, amount
        self.add(profile, amounts)
