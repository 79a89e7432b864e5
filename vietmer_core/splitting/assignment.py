"""Groups to splits such that every split has its share of every label, as far as groups can be had. Torch-free.

Grouped stratification is a partition problem and hard; this is a seeded greedy start, the largest group first, and then
moves and swaps of groups until none helps, in the spirit of Sechidis, Tsoumakas and Vlahavas, "On the Stratification of
Multi-Label Data" (ECML PKDD 2011), whose method has no groups. Groups with the same counts are interchangeable and are
handled as one *profile* with a number, so a million rows that stand alone cost no more than their labels.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.splitting.cost import DIGITS, Cost
from vietmer_core.splitting.improvement import improve
from vietmer_core.splitting.placement import Placement

RESTARTS: Final = 4
RESTARTS_OF_FEW: Final = 8
"""Starts, each in another order, of which the best is taken; of up to `FEW` profiles more, since that costs little."""

FEW: Final = 64

_LEAST_JITTER: Final = 0.5
_ROUNDING: Final = 1e-9


def assign(
    counts: NDArray[np.int64],
    shares: NDArray[np.float64],
    generator: np.random.Generator,
    *,
    pinned: NDArray[np.bool_] | None = None,
    first_trains: bool = True,
) -> NDArray[np.int64]:
    """The split of every group, `(groups,)`.

    No split stays empty, and the result depends on the arguments alone.

    Args:
        counts: `(groups, columns)` rows of each group, of each label in it, and of what else is to be spread.
        shares: `(splits,)`, above 0, sum 1.
        generator: Of the orders that are tried.
        pinned: `(groups,)` groups that must stand in the first split.
        first_trains: Whether the first split trains, so that it must not lack a label.

    Raises:
        ValueError: where there are fewer groups than splits.
    """
    held = np.zeros(len(counts), dtype=bool) if pinned is None else pinned
    (free,) = np.nonzero(~held)
    if len(free) + bool(held.any()) < len(shares):
        raise ValueError(f"{len(shares)} splits need as many groups, but only {len(free)} can be placed.")
    used = counts[:, counts.sum(axis=0) > 0].astype(np.float64)  # (groups, columns that are not empty)
    profiles, profile_of_group, amounts = np.unique(used[free], axis=0, return_inverse=True, return_counts=True)
    cost = Cost.of(used.sum(axis=0), shares, first_trains=first_trains)
    pinned_counts, num_pinned = used[held].sum(axis=0), int(held.sum())
    best: Placement | None = None
    for _ in range(RESTARTS_OF_FEW if len(profiles) <= FEW else RESTARTS):
        placement = Placement.empty(profiles, cost=cost, pinned=pinned_counts, num_pinned=num_pinned)
        _start(placement, amounts, generator)
        _fill_empty(placement)
        improve(placement, generator)
        if best is None or cost.total(placement.totals) < cost.total(best.totals) - 10.0**-DIGITS:
            best = placement
    assert best is not None
    result = np.zeros(len(counts), dtype=np.int64)
    result[free] = _deal(best.placed, profile_of_group.reshape(-1), generator)
    return result


def _start(placement: Placement, amounts: NDArray[np.int64], generator: np.random.Generator) -> None:
    """The largest first, each where it costs least; of a profile with many, all but a few at once by the shares."""
    cost, profiles = placement.cost, placement.profiles
    sizes = profiles.sum(axis=1) * generator.uniform(_LEAST_JITTER, 1, size=len(profiles))  # (profiles,)
    one = np.eye(len(cost.shares), dtype=np.int64)  # (splits, splits)
    for profile in np.argsort(-sizes, kind="stable").tolist():
        whole = np.floor(amounts[profile] * cost.shares + _ROUNDING).astype(np.int64)  # (splits,)
        placement.add(profile, whole)
        for _ in range(int(amounts[profile] - whole.sum())):
            totals = placement.totals
            dearer = np.round(cost.of_each(totals + profiles[profile]) - cost.of_each(totals), DIGITS)  # (splits,)
            placement.add(profile, one[int(np.argmin(dearer))])


def _fill_empty(placement: Placement) -> None:
    """A smallest group moved into every split that holds none, out of one that can spare it."""
    for _ in range(len(placement.totals)):
        (empty,) = np.nonzero(placement.num_groups == 0)
        if not len(empty):
            return
        spare = placement.placed * (placement.num_groups > 1)  # (profiles, splits)
        sizes = np.where(spare.any(axis=1), placement.profiles.sum(axis=1), np.inf)  # (profiles,)
        profile = int(np.argmin(sizes))
        placement.move(profile, source=int(np.argmax(spare[profile])), target=int(empty[0]))


def _deal(
    placed: NDArray[np.int64], profile_of_group: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """The split of each group `(groups,)`: those of a profile are dealt at random."""
    result = np.empty(len(profile_of_group), dtype=np.int64)
    order = generator.permutation(len(profile_of_group))
    by_profile = order[np.argsort(profile_of_group[order], kind="stable")]  # (groups,)
    result[by_profile] = np.repeat(np.tile(np.arange(placed.shape[1]), len(placed)), placed.reshape(-1))
    return result
