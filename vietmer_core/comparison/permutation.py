"""A paired permutation test that swaps whole speakers between two systems. Torch-free.

Where two systems are alike, it makes no difference which of them made which predictions of a speaker. So the
difference found is compared with those after every swap of speakers (Good 2005, "Permutation, Parametric and Bootstrap
Tests of Hypotheses"). A speaker is swapped as a whole, and in all seeds, since his utterances are not independent.
"""

from collections.abc import Iterator
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.evaluation.cluster_sums import SHARES, metric_of_sums

MOST_ENUMERATED: Final = 20_000
"""Swaps that are all tried; of more, `NUM_SWAPS` are drawn."""
NUM_SWAPS: Final = 10_000
CHUNK: Final = 1024
ROUNDING: Final = 1e-12
"""Differences this near to one another are the same."""


@attrs.frozen(kw_only=True)
class PermutationTest:
    """The result of swapping speakers.

    Attributes:
        p: Two-sided: the share of swaps after which the difference is as large as the one found.
        smallest_p: The smallest that so few speakers allow.
        num_speakers: Speakers of whom the systems predicted differently; swapping the others changes nothing.
        num_swaps: Swaps tried.
        is_exact: Whether these are all there are.
    """

    p: float
    smallest_p: float
    num_speakers: int
    num_swaps: int
    is_exact: bool

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return attrs.asdict(self)


def permutation_test(
    first: NDArray[np.float64], second: NDArray[np.float64], *, metric: str, seed: int
) -> PermutationTest:
    """Test the difference of a metric, averaged over seeds, between two systems.

    Args:
        first: Sums `(seeds, speakers, sums)` of one system (`systems.speaker_sums`).
        second: Those of the other, of the same shape.
        metric: Of `cluster_sums.METRICS`.
        seed: Of the swaps, where not all are tried.
    """
    change = second - first
    moving = np.flatnonzero(np.any(change[..., _read_by(metric)] != 0, axis=(0, 2)))
    num_moving = len(moving)
    is_exact = 2**num_moving <= MOST_ENUMERATED
    mine, theirs = first.sum(axis=1), second.sum(axis=1)  # (seeds, sums)
    found = abs(_difference(mine, theirs, metric))
    large = number = 0
    for swaps in _all_swaps(num_moving) if is_exact else _drawn_swaps(num_moving, seed=seed):
        moved = np.tensordot(swaps, change[:, moving], axes=(1, 1))  # (swaps, seeds, sums)
        after = _difference(mine + moved, theirs - moved, metric)
        large += int((np.abs(after) >= found - ROUNDING).sum())
        number += len(swaps)
    if not is_exact:  # the swap of nobody is one of them (Phipson and Smyth 2010)
        large, number = large + 1, number + 1
    smallest = min(1.0, 2 / 2**num_moving) if is_exact else 1 / number
    return PermutationTest(
        p=large / number, smallest_p=smallest, num_speakers=num_moving, num_swaps=number, is_exact=is_exact
    )


def _read_by(metric: str) -> slice:
    """The sums that a metric reads: the counts, or the two last."""
    return slice(None, -2) if metric in SHARES else slice(-2, None)


def _difference(first: NDArray[np.float64], second: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """The difference of the means over seeds, of sums `(…, seeds, sums)`."""
    difference: NDArray[np.float64] = (metric_of_sums(first, metric) - metric_of_sums(second, metric)).mean(axis=-1)
    return difference


def _all_swaps(num_clusters: int) -> Iterator[NDArray[np.float64]]:
    """Every choice of clusters, `(swaps, clusters)` of 0 and 1, a chunk at a time."""
    bits = np.arange(num_clusters)
    for start in range(0, 2**num_clusters, CHUNK):
        choices = np.arange(start, min(start + CHUNK, 2**num_clusters))
        yield ((choices[:, None] >> bits) & 1).astype(np.float64)


def _drawn_swaps(num_clusters: int, *, seed: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    for start in range(0, NUM_SWAPS, CHUNK):
        size = (min(CHUNK, NUM_SWAPS - start), num_clusters)
        yield generator.integers(0, 2, size=size).astype(np.float64)
