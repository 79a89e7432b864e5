"""One system against another over the same utterances. Torch-free."""

import hashlib
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.comparison.corrections import ResampledTest, corrected_resampled_t
from vietmer_core.comparison.mcnemar import McNemar, mcnemar
from vietmer_core.comparison.permutation import PermutationTest, permutation_test
from vietmer_core.comparison.resampling import MeanInterval, mean_intervals
from vietmer_core.comparison.systems import System, speaker_sums
from vietmer_core.evaluation.cluster_sums import METRICS, metrics_of_sums


@attrs.frozen(kw_only=True)
class Difference:
    """A metric of the first system minus that of the second, both means over seeds.

    Attributes:
        value: Of all utterances.
        interval: Around it.
        p_t: Two-sided p of `value / standard error`; None with one speaker.
    """

    value: float
    interval: MeanInterval
    p_t: float | None


@attrs.frozen(kw_only=True)
class Pair:
    """The comparison of two systems.

    Attributes:
        first: Its name.
        second: Its name.
        metric: The one that is tested.
        seeds: The pairs of seeds, one of each system.
        same_seeds: Whether the two of each pair are the same number.
        differences: By metric.
        seed_differences: Of the metric tested, by pair of seeds.
        permutation: Of speakers between the systems.
        mcnemar: By pair of seeds.
        dominance: Share of speakers of whom the first system has more utterances right minus the share of whom the
            second has (Cliff's paired d, 1993); -1 to 1.
        resampled: Over folds, where the systems have some.
        p: That of the conclusion.
        p_holm: The same after Holm's correction for all pairs.
        smallest_p: The smallest `p_holm` that the number of speakers allows.
    """

    first: str
    second: str
    metric: str
    seeds: tuple[tuple[int, int], ...]
    same_seeds: bool
    differences: Mapping[str, Difference]
    seed_differences: tuple[float, ...]
    permutation: PermutationTest
    mcnemar: tuple[McNemar, ...]
    dominance: float
    resampled: ResampledTest | None
    p: float
    p_holm: float
    smallest_p: float

    @property
    def difference(self) -> Difference:
        """That of the metric tested."""
        return self.differences[self.metric]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return attrs.asdict(self)


def compare_pair(first: System, second: System, *, metric: str = "macro_f1", seed: int = 0) -> Pair:
    """Compare two systems whose utterances stand in the same order (`systems.aligned`).

    With one seed each, the conclusion rests on the permutation test: it is about these two models and speakers like
    those tested. With several seeds it is about the ways of training too, so that the difference must show over
    speakers and over seeds: `p` is the larger of the permutation's and that of the t interval, whose error includes
    the seeds.

    Args:
        first: One system.
        second: The other.
        metric: The one that is tested, of `METRICS`.
        seed: Of draws and swaps; those of a pair depend on its systems' names too, not on the other pairs.
    """
    pairs, same = seed_pairs(first.seeds, second.seeds)
    own = _seed_of(seed, first.name, second.name)
    sums = [
        speaker_sums(system)[list(chosen)]
        for system, chosen in zip((first, second), zip(*pairs, strict=True), strict=True)
    ]
    both = np.stack(sums, axis=2)  # (seeds, speakers, 2, sums)
    differences = _differences(both, seed=own)
    permutation = permutation_test(*sums, metric=metric, seed=own)
    by_seed = _values(both.sum(axis=1))[:, METRICS.index(metric)]
    p_t = differences[metric].p_t
    p = permutation.p if len(pairs) == 1 or p_t is None else max(permutation.p, p_t)
    return Pair(
        first=first.name,
        second=second.name,
        metric=metric,
        seeds=tuple((first.seeds[one], second.seeds[other]) for one, other in pairs),
        same_seeds=same,
        differences=differences,
        seed_differences=tuple(float(value) for value in by_seed),
        permutation=permutation,
        mcnemar=tuple(mcnemar(first.truth, first.predicted[one], second.predicted[other]) for one, other in pairs),
        dominance=_dominance(both, num_classes=len(first.labels)),
        resampled=_over_folds(first, second, pairs=pairs, metric=metric),
        p=p,
        p_holm=p,
        smallest_p=permutation.smallest_p,
    )


def seed_pairs(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[list[tuple[int, int]], bool]:
    """Positions of the seeds to compare, and whether they are the same seeds.

    Seeds that both have are paired. Where there are none, the smallest of each are, as many as both have.
    """
    shared = sorted(set(first) & set(second))
    if shared:
        return [(first.index(seed), second.index(seed)) for seed in shared], True
    return [(index, index) for index in range(min(len(first), len(second)))], False


def _seed_of(seed: int, *names: str) -> int:
    """The same for both orders of two names."""
    digest = hashlib.sha256(f"{seed}:{sorted(names)}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def _values(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The differences of two systems' metrics `(…, seeds, metrics)`, of sums `(…, seeds, 2, sums)`."""
    both = metrics_of_sums(sums)  # (…, seeds, 2, metrics)
    difference: NDArray[np.float64] = both[..., 0, :] - both[..., 1, :]
    return difference


def _differences(both: NDArray[np.float64], *, seed: int) -> dict[str, Difference]:
    values = _values(both.sum(axis=1)).mean(axis=0).tolist()  # (metrics,)
    intervals = mean_intervals(both, values_of=_values, seed=seed, is_difference=True)
    return {
        metric: Difference(value=value, interval=intervals[metric], p_t=intervals[metric].spread.p_value(value))
        for metric, value in zip(METRICS, values, strict=True)
    }


def _dominance(both: NDArray[np.float64], *, num_classes: int) -> float:
    """The share of speakers with more utterances right in the first system, minus the share with fewer."""
    confusion = both[..., : num_classes**2].sum(axis=0)  # (speakers, 2, classes²)
    right = confusion[..., :: num_classes + 1].sum(axis=-1)  # (speakers, 2): the diagonal
    return float(np.sign(right[:, 0] - right[:, 1]).mean())


def _over_folds(first: System, second: System, *, pairs: list[tuple[int, int]], metric: str) -> ResampledTest | None:
    """The corrected resampled t-test, where both systems were trained on the same folds, two or more."""
    if first.folds is None or second.folds is None or not np.array_equal(first.folds, second.folds):
        return None
    if len(np.unique(first.folds)) < 2:
        return None
    found, sizes = [], []
    for fold in np.unique(first.folds):
        rows = np.flatnonzero(first.folds == fold)
        sums = [speaker_sums(system.taking(rows.tolist())).sum(axis=1) for system in (first, second)]  # (seeds, sums)
        mine, theirs = (metrics_of_sums(one)[:, METRICS.index(metric)] for one in sums)
        found += [mine[one] - theirs[other] for one, other in pairs]
        sizes.append(len(rows))
    tested = np.array(sizes)
    ratio = float((tested / (first.num_utterances - tested)).mean())
    return corrected_resampled_t(np.array(found), ratio=ratio)
