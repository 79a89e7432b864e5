"""Moves and swaps of groups between splits, until none makes the splits more alike. Torch-free."""

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.splitting.cost import DIGITS
from vietmer_core.splitting.placement import Placement

MAX_CANDIDATES: Final = 64
"""Profiles of a split that are tried in a swap; of more, so many are drawn each time."""

MAX_ROUNDS: Final = 100
_LEAST_GAIN: Final = 10.0 ** (1 - DIGITS)


def improve(placement: Placement, generator: np.random.Generator) -> None:
    """Move and swap groups until nothing more is gained, or for `MAX_ROUNDS` rounds; no split becomes empty.

    Args:
        placement: Changed in place.
        generator: Of the candidates, where there are many.
    """
    pairs = list(combinations(range(len(placement.totals)), 2))
    for _ in range(MAX_ROUNDS):
        moved = _move_all(placement)
        swapped = [_swap(placement, generator, pair=pair) for pair in pairs]
        if not moved and not any(swapped):
            return


def _move_all(placement: Placement) -> bool:
    """Best moves of many groups of a profile at once, then of half as many, down to one."""
    moved, step = False, 1 << int(placement.placed.max()).bit_length() >> 1
    while step:
        while _move(placement, step=step):
            moved = True
        step //= 2
    return moved


def _move(placement: Placement, *, step: int) -> bool:
    """Make the best move of `step` groups of one profile from one split to another, if it gains anything."""
    cost, totals, splits = placement.cost, placement.totals, range(len(placement.totals))
    change = placement.profiles * step  # (profiles, columns)
    now = cost.of_each(totals)  # (splits,)
    without = np.stack([cost.of_split(totals[split] - change, split) for split in splits], axis=1) - now
    with_it = np.stack([cost.of_split(totals[split] + change, split) for split in splits], axis=1) - now
    possible = (placement.placed >= step) & (placement.num_groups > step)  # (profiles, splits)
    gain = np.where(possible, without, np.inf)[:, :, np.newaxis] + with_it[:, np.newaxis, :]  # (profiles, from, to)
    gain[:, splits, splits] = np.inf
    profile, source, target = (int(place) for place in _least(gain))
    if not gain[profile, source, target] < -_LEAST_GAIN:
        return False
    placement.move(profile, source=source, target=target, amount=step)
    return True


def _swap(placement: Placement, generator: np.random.Generator, *, pair: tuple[int, int]) -> bool:
    """Make the best swap of a group of one split with a group of another, if it gains anything."""
    first, second = pair
    cost, totals, profiles = placement.cost, placement.totals, placement.profiles
    ours = _candidates(placement.placed[:, first], generator)
    theirs = _candidates(placement.placed[:, second], generator)
    if not len(ours) or not len(theirs):
        return False
    change = profiles[theirs][np.newaxis, :, :] - profiles[ours][:, np.newaxis, :]  # (ours, theirs, columns)
    gain = cost.of_split(totals[first] + change, first) + cost.of_split(totals[second] - change, second)
    gain -= cost.of_split(totals[first], first) + cost.of_split(totals[second], second)  # (ours, theirs)
    mine, other = _least(gain)
    if not gain[mine, other] < -_LEAST_GAIN:
        return False
    placement.move(int(ours[mine]), source=first, target=second)
    placement.move(int(theirs[other]), source=second, target=first)
    return True


def _least(gain: NDArray[np.float64]) -> tuple[np.intp, ...]:
    """The place of the least value; of equal ones, to `DIGITS`, the first."""
    return np.unravel_index(int(np.argmin(np.round(gain, DIGITS))), gain.shape)


def _candidates(amounts: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    (present,) = np.nonzero(amounts)
    if len(present) <= MAX_CANDIDATES:
        return present
    return np.sort(generator.choice(present, size=MAX_CANDIDATES, replace=False))
