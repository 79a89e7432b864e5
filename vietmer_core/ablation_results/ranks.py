"""Ranks of the groups, and by how much mean ranks must differ (Demšar 2006). Torch-free.

Each speaker ranks the groups by the metric of his utterances, mean over replicates: a block is a speaker, since the
utterances and the runs of one are not independent blocks. Friedman's test (1940) in the form of Iman and Davenport
(1980) asks whether the ranks differ at all; Nemenyi's critical difference (1963) how far two mean ranks must be from
one another. Both are about these trained models and other speakers, not about other runs.

Demšar 2006, "Statistical comparisons of classifiers over multiple data sets", JMLR 7.
"""

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher
from scipy.stats import rankdata, studentized_range

ALPHA = 0.05


@attrs.frozen(kw_only=True)
class Ranks:
    """Mean ranks over speakers.

    Attributes:
        names: Of the groups.
        mean_ranks: Of each; 1 is best.
        num_speakers: Blocks.
        statistic: Of Iman and Davenport; None where every speaker ranks alike, so that it is infinite.
        p: Of equal ranks.
        critical_difference: Nemenyi's, at 5 %.
        cliques: First and last position, in the order of the ranks, of groups that the difference does not part.
    """

    names: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    num_speakers: int
    statistic: float | None
    p: float
    critical_difference: float
    cliques: tuple[tuple[int, int], ...]

    @property
    def order(self) -> tuple[int, ...]:
        """Positions from the best group to the worst."""
        return tuple(np.argsort(self.mean_ranks, kind="stable").tolist())


def ranks_of(by_speaker: NDArray[np.float64], names: tuple[str, ...], *, higher_is_better: bool) -> Ranks | None:
    """The ranks of groups by their scores `(groups, speakers)`; None with fewer than two of either."""
    count, blocks = by_speaker.shape
    if count < 2 or blocks < 2:
        return None
    ranks = rankdata(-by_speaker if higher_is_better else by_speaker, axis=0)  # (groups, speakers)
    means = ranks.mean(axis=1)
    statistic, p = _iman_davenport(ranks)
    width = (
        float(studentized_range.ppf(1 - ALPHA, count, np.inf)) / 2**0.5 * (count * (count + 1) / (6 * blocks)) ** 0.5
    )
    return Ranks(
        names=names,
        mean_ranks=tuple(means.tolist()),
        num_speakers=blocks,
        statistic=statistic,
        p=p,
        critical_difference=width,
        cliques=tuple(cliques(np.sort(means), width=width)),
    )


def _iman_davenport(ranks: NDArray[np.float64]) -> tuple[float | None, float]:
    """F and p of ranks `(groups, blocks)`: an analysis of variance of the ranks, ties included."""
    count, blocks = ranks.shape
    between = blocks * float(((ranks.mean(axis=1) - (count + 1) / 2) ** 2).sum())
    total = float(((ranks - (count + 1) / 2) ** 2).sum())
    left = total - between
    if between <= 1e-12:
        return 0.0, 1.0
    if left <= 1e-12:
        return None, 0.0
    statistic = (blocks - 1) * between / left
    return statistic, float(fisher.sf(statistic, count - 1, (count - 1) * (blocks - 1)))


def cliques(ordered: NDArray[np.float64], *, width: float) -> list[tuple[int, int]]:
    """The longest runs of two and more sorted values `(groups,)` of which none is further than `width` from another."""
    found: list[tuple[int, int]] = []
    for first, value in enumerate(ordered.tolist()):
        last = int(np.searchsorted(ordered, value + width, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
