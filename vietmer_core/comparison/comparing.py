"""Comparing several systems: every pair, or each with one of them, corrected for the number of pairs. Torch-free."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import attrs
import numpy as np

from vietmer_core.comparison.corrections import holm
from vietmer_core.comparison.pairs import Pair, compare_pair
from vietmer_core.comparison.resampling import LEVEL, MeanInterval, mean_intervals
from vietmer_core.comparison.systems import System, aligned, clusters_of, speaker_sums
from vietmer_core.errors import RunError
from vietmer_core.evaluation.cluster_sums import METRICS, metrics_of_sums


@attrs.frozen(kw_only=True)
class SystemScore:
    """A metric of one system.

    Attributes:
        mean: Over seeds.
        deviation: Standard deviation over seeds (n - 1); None with one seed.
        per_seed: In the order of the seeds.
        interval: Around the mean, over speakers and, with several seeds, over seeds.
    """

    mean: float
    deviation: float | None
    per_seed: tuple[float, ...]
    interval: MeanInterval


@attrs.frozen(kw_only=True)
class SystemScores:
    """One system's name, runs and scores.

    Attributes:
        name: In tables.
        runs: Paths of the run folders.
        seeds: Of the models.
        num_folds: Folds joined; None where one model tested all.
        scores: By metric.
    """

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    num_folds: int | None
    scores: dict[str, SystemScore]


@attrs.frozen(kw_only=True)
class Comparison:
    """Several systems over one test set.

    Attributes:
        metric: The one that is tested.
        level: Of the intervals.
        num_utterances: Of the test set.
        num_speakers: Clusters; an utterance of an unknown speaker is one of its own.
        num_unknown_speakers: Utterances whose speaker is unknown.
        systems: Their scores, in the order given.
        pairs: Their comparisons.
    """

    metric: str
    level: float
    num_utterances: int
    num_speakers: int
    num_unknown_speakers: int
    systems: tuple[SystemScores, ...]
    pairs: tuple[Pair, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return attrs.asdict(self)


def compare_systems(
    systems: Sequence[System], *, base: str | None = None, metric: str = "macro_f1", seed: int = 0
) -> Comparison:
    """Compare systems that tested the same utterances.

    Args:
        systems: Two or more, each with a name of its own.
        base: The name of the one that each of the others is compared with; every pair where None.
        metric: The one that is tested, of `METRICS`.
        seed: Of draws and swaps.

    Raises:
        RunError: if the systems cannot be compared: another test set or label space, equal names, an unknown base.
    """
    names = [system.name for system in systems]
    if len(systems) < 2:
        raise RunError(
            f"there must be at least two systems to compare, but there is {len(systems)}: {', '.join(names)}. Runs "
            "that differ in their seed or fold alone are one system; `--each` compares them singly."
        )
    if repeated := {name for name in names if names.count(name) > 1}:
        raise RunError(f"systems must have names of their own, but several are named `{min(repeated)}`.")
    if base is not None and base not in names:
        raise RunError(f"the base must be one of {', '.join(names)}, but is `{base}` instead.")
    if metric not in METRICS:
        raise RunError(f"the metric must be one of {', '.join(METRICS)}, but is `{metric}` instead.")
    lined = aligned(systems)
    pairs = [compare_pair(*pair, metric=metric, seed=seed) for pair in _pairs(lined, base)]
    return Comparison(
        metric=metric,
        level=LEVEL,
        num_utterances=lined[0].num_utterances,
        num_speakers=int(clusters_of(lined[0].speakers).max()) + 1,
        num_unknown_speakers=lined[0].num_unknown_speakers,
        systems=tuple(scores_of(system, seed=seed) for system in lined),
        pairs=tuple(_corrected(pairs)),
    )


def _pairs(systems: Sequence[System], base: str | None) -> Iterator[tuple[System, System]]:
    if base is None:
        yield from combinations(systems, 2)
        return
    (against,) = [system for system in systems if system.name == base]
    yield from ((system, against) for system in systems if system is not against)


def _corrected(pairs: Sequence[Pair]) -> Iterator[Pair]:
    """The pairs with Holm's p, and the smallest that this p could have become for their speakers."""
    adjusted = holm([pair.p for pair in pairs])
    smallest = holm([pair.smallest_p for pair in pairs])
    for pair, p, least in zip(pairs, adjusted, smallest, strict=True):
        yield attrs.evolve(pair, p_holm=p, smallest_p=least)


def scores_of(system: System, *, seed: int = 0) -> SystemScores:
    """The scores of one system, with intervals; `seed` is that of the draws."""
    sums = speaker_sums(system)
    values = metrics_of_sums(sums.sum(axis=1))  # (seeds, metrics)
    intervals = mean_intervals(sums, values_of=metrics_of_sums, seed=seed, is_difference=False)
    scores = {
        metric: SystemScore(
            mean=float(of_seeds.mean()),
            deviation=float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else None,
            per_seed=tuple(of_seeds.tolist()),
            interval=intervals[metric],
        )
        for metric, of_seeds in zip(METRICS, values.T, strict=True)
    }
    return SystemScores(
        name=system.name,
        runs=system.runs,
        seeds=system.seeds,
        num_folds=None if system.folds is None else len(np.unique(system.folds)),
        scores=scores,
    )
