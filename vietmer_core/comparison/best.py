"""The best of several systems, and those that may be the best. Torch-free.

The group with the highest value need not be the best of all that other speakers and other runs would show. A group is
left out of the set of those that may be it where its difference from the highest is significant after multiplying p by
the number of the other groups. So the set holds the truly best group with a chance of 95 % at least, whichever it is
and whichever came out highest: it could be left out only by one of that many tests (Gupta 1965, "On some multiple
decision (selection and ranking) rules"; Hsu 1984). Holm's steps have no such guarantee here, since the data chose what
is compared with.
"""

from collections.abc import Mapping, Sequence

import attrs

from vietmer_core.comparison.comparing import Comparison
from vietmer_core.comparison.pairs import Pair, compare_pair
from vietmer_core.comparison.systems import System, speaker_sums
from vietmer_core.comparison.wording import ALPHA
from vietmer_core.evaluation.cluster_sums import SHARES, metric_of_sums


@attrs.frozen(kw_only=True)
class BestSet:
    """The group that came out highest, and those that it cannot be told from.

    Attributes:
        name: The highest, or, of a loss, the lowest; the first of equal ones.
        p: Of every other comparable group's difference from it, times their number.
        smallest_p: The smallest that such a p can be, so few are the speakers; None with one group.
    """

    name: str
    p: Mapping[str, float]
    smallest_p: float | None

    @property
    def possible(self) -> tuple[str, ...]:
        """The groups that may be the best."""
        return (self.name, *(name for name, p in self.p.items() if p > ALPHA))

    def standing(self, name: str) -> str:
        """`highest`, `possible`, or nothing."""
        if name == self.name:
            return "highest"
        return "possible" if self.p.get(name, 0.0) > ALPHA else ""


def best_of(
    systems: Sequence[System], *, metric: str, seed: int, comparison: Comparison | None = None
) -> BestSet | None:
    """The best of systems that stand in one order (`systems.aligned`).

    Args:
        systems: Of one test set.
        metric: Of `cluster_sums.METRICS`.
        seed: Of the swaps.
        comparison: With one of them, whose pairs need not be made again.
    """
    if not systems:
        return None
    values = [float(metric_of_sums(speaker_sums(system).sum(axis=1), metric).mean()) for system in systems]
    index = values.index(max(values) if metric in SHARES else min(values))
    best = systems[index]
    known = {} if comparison is None else {frozenset((pair.first, pair.second)): pair for pair in comparison.pairs}
    others = [system for system in systems if system is not best]
    pairs: dict[str, Pair] = {
        other.name: known.get(frozenset((best.name, other.name))) or compare_pair(best, other, metric=metric, seed=seed)
        for other in others
    }
    least = [pair.permutation.smallest_p for pair in pairs.values()]
    return BestSet(
        name=best.name,
        p={name: min(1.0, pair.p * len(others)) for name, pair in pairs.items()},
        smallest_p=min(1.0, min(least) * len(others)) if least else None,
    )
