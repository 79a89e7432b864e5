"""`Design`: the value of each group, how it would vary with other speakers and other runs, and its levels. Torch-free.

The model is y[g, r] = θ[g] + run[g, r]: the metric of all speakers, for group g and replicate r. Runs are independent,
with a variance of each group's own. θ varies with the speakers, all of whom every group was tested on; how, is found by
leaving out one at a time (Efron and Stein 1981).
"""

from collections.abc import Mapping, Sequence
from typing import Self

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.comparison.resampling import Spread
from vietmer_core.comparison.systems import System, speaker_sums
from vietmer_core.evaluation.cluster_sums import metric_of_sums


@attrs.frozen(kw_only=True, eq=False)
class Design:
    """The groups of a matrix as a factorial experiment.

    Attributes:
        axes: The levels of each axis, in order.
        codes: `(groups, axes)` int64, the level of each group.
        values: `(groups,)` the metric, mean over replicates.
        without: `(groups, speakers)` the same without each speaker.
        run_variances: `(groups,)` of a mean over replicates, from one run to another; 0 where each group has one run.
        run_degrees: `(groups,)` of freedom behind each of them; 0 where there are none.
        by_speaker: `(groups, speakers)` the metric of each speaker alone, mean over replicates.
        num_runs: Replicates of a group, at most.
    """

    axes: Mapping[str, tuple[str, ...]]
    codes: NDArray[np.int64]
    values: NDArray[np.float64]
    without: NDArray[np.float64]
    run_variances: NDArray[np.float64]
    run_degrees: NDArray[np.float64]
    by_speaker: NDArray[np.float64]
    num_runs: int

    @property
    def num_speakers(self) -> int:
        """Clusters; an utterance of an unknown speaker is one of its own."""
        return int(self.without.shape[1])

    def taking(self, rows: Sequence[int]) -> Self:
        """The same of some groups."""
        chosen = np.asarray(rows, dtype=np.int64)
        return attrs.evolve(
            self,
            codes=self.codes[chosen],
            values=self.values[chosen],
            without=self.without[chosen],
            run_variances=self.run_variances[chosen],
            run_degrees=self.run_degrees[chosen],
            by_speaker=self.by_speaker[chosen],
        )

    def speaker_covariance(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(q, q)`: of the sums `weights (groups, q)` of values, from speaker to speaker."""
        moved = self.without.T @ weights  # (speakers, q)
        moved = moved - moved.mean(axis=0)
        covariance: NDArray[np.float64] = moved.T @ moved * (self.num_speakers - 1) / self.num_speakers
        return covariance

    def spread(self, weights: NDArray[np.float64]) -> Spread:
        """The standard error of one sum `weights (groups,)` of values, with Satterthwaite's degrees of freedom."""
        if self.num_speakers < 2:
            return Spread(standard_error=None, degrees=0.0, num_speakers=self.num_speakers, num_seeds=self.num_runs)
        of_speakers = float(self.speaker_covariance(weights[:, None])[0, 0])
        of_runs = weights**2 * self.run_variances
        total = of_speakers + float(of_runs.sum())
        scale = of_speakers**2 / (self.num_speakers - 1) + self.scale_of_runs(of_runs)
        degrees = total**2 / scale if scale else float(self.num_speakers - 1)
        return Spread(
            standard_error=total**0.5, degrees=degrees, num_speakers=self.num_speakers, num_seeds=self.num_runs
        )

    def scale_of_runs(self, parts: NDArray[np.float64]) -> float:
        """What parts of a variance `(groups,)` that come from the runs add to Satterthwaite's denominator."""
        known = self.run_degrees > 0
        return float((parts[known] ** 2 / self.run_degrees[known]).sum())


def design_of(
    systems: Sequence[System], levels: Sequence[Mapping[str, str]], *, axes: Mapping[str, tuple[str, ...]], metric: str
) -> Design:
    """The design of systems that tested the same utterances (`systems.aligned`).

    Args:
        systems: One a group.
        levels: The levels of each.
        axes: The levels of each axis.
        metric: Of `cluster_sums.METRICS`.
    """
    values, without, variances, by_speaker = [], [], [], []
    for system in systems:
        sums = speaker_sums(system)  # (replicates, speakers, sums)
        total = sums.sum(axis=1)
        own = metric_of_sums(total, metric)  # (replicates,)
        values.append(own.mean())
        variances.append(own.var(ddof=1) if len(own) > 1 else np.nan)
        left_out = total[:, None] - sums
        without.append(metric_of_sums(left_out, metric).mean(axis=0))
        by_speaker.append(metric_of_sums(sums, metric).mean(axis=0))
    runs = np.array([len(system.seeds) for system in systems], dtype=np.float64)
    of_runs, degrees = _run_variances(np.array(variances), runs)
    return Design(
        axes=dict(axes),
        codes=np.array([[axes[axis].index(one[axis]) for axis in axes] for one in levels], dtype=np.int64),
        values=np.array(values),
        without=np.array(without),
        run_variances=of_runs,
        run_degrees=degrees,
        by_speaker=np.array(by_speaker),
        num_runs=int(runs.max()),
    )


def _run_variances(
    variances: NDArray[np.float64], runs: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the means, and their degrees of freedom; a group with one run takes the pooled variance of the others."""
    degrees = runs - 1
    several = degrees > 0
    if not several.any():
        return np.zeros(len(runs)), np.zeros(len(runs))
    pooled = float((variances[several] * degrees[several]).sum() / degrees[several].sum())
    return np.where(several, variances, pooled) / runs, np.where(several, degrees, degrees[several].sum())
