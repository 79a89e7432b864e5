"""How far a mean over seeds, or a difference of two, would vary with other speakers and seeds. Torch-free.

With one seed an interval is that of `vietmer_core.evaluation.intervals`: it speaks of one trained model and of other
speakers. With several it speaks of the way of training too: the interval is the value ± t · standard error, whose
square is the variance from leaving out one speaker at a time (Efron and Stein 1981, "The jackknife estimate of
variance") plus that of the seeds. What is particular to one seed and one speaker is in both, so it is rather too wide
than too narrow. The degrees of freedom are Satterthwaite's (1946): few where the few seeds, or the few speakers, make
up most of it.

Beside it stand draws of speakers and of seeds, both with replacement and independently, since every seed met every
speaker (Owen 2007, "The pigeonhole bootstrap"). Their percentiles are too near to one another with few of either.
"""

from collections.abc import Callable, Iterator
from typing import Final, Self

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from vietmer_core.evaluation.cluster_sums import METRICS, SHARES
from vietmer_core.evaluation.intervals import FEWEST_CLUSTERS, intervals_of_sums

LEVEL: Final = 0.95
NUM_DRAWS: Final = 2000
CHUNK: Final = 250
ValuesOf = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From sums `(…, seeds, …)` over speakers to `METRICS` `(…, seeds, metrics)`."""


@attrs.frozen(kw_only=True)
class Spread:
    """The standard error of a mean over seeds, and what it rests on.

    Attributes:
        standard_error: From speakers and, with several seeds, from seeds; None with one speaker.
        degrees: Of freedom.
        num_speakers: Clusters; an utterance of an unknown speaker is one of its own.
        num_seeds: Seeds.
    """

    standard_error: float | None
    degrees: float
    num_speakers: int
    num_seeds: int

    def reach(self) -> float | None:
        """How far the interval reaches to each side: t · standard error; None with one speaker."""
        if self.standard_error is None:
            return None
        return self.standard_error * float(student.ppf((1 + LEVEL) / 2, self.degrees))

    def p_value(self, difference: float) -> float | None:
        """Two-sided, of no difference; None with one speaker."""
        if self.standard_error is None:
            return None
        if self.standard_error == 0:
            return 1.0 if difference == 0 else 0.0
        return float(2 * student.sf(abs(difference) / self.standard_error, self.degrees))


@attrs.frozen(kw_only=True)
class MeanInterval:
    """An interval around a mean over seeds, or around a difference of two.

    Attributes:
        low: Its lower end; None with one speaker.
        high: Its upper end.
        level: How often, in the long run, such an interval holds the value.
        method: `bootstrap` or `jackknife-t` as in `Interval`, `speakers-and-seeds-t` with several seeds, or `none`.
        too_few: Whether so few speakers stand behind it that it may cover less often than it says.
        drawn_low: Lower end of the percentile interval over draws of speakers and of seeds.
        drawn_high: Upper end of that.
        spread: The standard error.
    """

    low: float | None
    high: float | None
    level: float
    method: str
    too_few: bool
    drawn_low: float
    drawn_high: float
    spread: Spread

    def negated(self) -> Self:
        """That of the difference taken the other way round."""
        low, high = (None, None) if self.low is None or self.high is None else (-self.high, -self.low)
        return attrs.evolve(self, low=low, high=high, drawn_low=-self.drawn_high, drawn_high=-self.drawn_low)

    def __str__(self) -> str:
        return "[no interval]" if self.low is None else f"[{self.low:.3f}, {self.high:.3f}]"


def mean_intervals(
    sums: NDArray[np.float64], *, values_of: ValuesOf, seed: int, is_difference: bool
) -> dict[str, MeanInterval]:
    """The interval of the mean over seeds, by metric.

    Args:
        sums: `(seeds, speakers, …)` of what is added up over speakers.
        values_of: From their sums to a value of each metric and seed.
        seed: Of the draws.
        is_difference: Whether the values reach below 0.
    """
    values = values_of(sums.sum(axis=1)).mean(axis=0).tolist()  # (metrics,)
    spreads = jackknife(sums, values_of=values_of)
    of_one = _of_one_seed(sums, values_of=values_of, seed=seed, is_difference=is_difference)
    tails = np.quantile(drawn(sums, values_of=values_of, seed=seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    found = {}
    for metric, value, (drawn_low, drawn_high) in zip(METRICS, values, tails.T.tolist(), strict=True):
        spread, (least, most) = spreads[metric], _bounds(metric, is_difference=is_difference)
        low, high, method = of_one[metric]
        if spread.num_seeds > 1 and (reach := spread.reach()) is not None:
            low, high, method = max(value - reach, least), min(value + reach, most), "speakers-and-seeds-t"
        found[metric] = MeanInterval(
            low=low,
            high=high,
            level=LEVEL,
            method=method,
            too_few=spread.num_speakers < FEWEST_CLUSTERS,
            drawn_low=drawn_low,
            drawn_high=drawn_high,
            spread=spread,
        )
    return found


def _bounds(metric: str, *, is_difference: bool) -> tuple[float, float]:
    most = 1.0 if metric in SHARES else np.inf
    return (-most if is_difference else 0.0, most)


def _of_one_seed(
    sums: NDArray[np.float64], *, values_of: ValuesOf, seed: int, is_difference: bool
) -> dict[str, tuple[float | None, float | None, str]]:
    """Ends and method of the interval over speakers alone, by metric."""
    by_speaker = np.moveaxis(sums, 1, 0)  # (speakers, seeds, …)

    def statistic(flat: NDArray[np.float64]) -> NDArray[np.float64]:
        mean: NDArray[np.float64] = values_of(flat.reshape(*flat.shape[:-1], *by_speaker.shape[1:])).mean(axis=-2)
        return mean

    bounds = [_bounds(metric, is_difference=is_difference) for metric in METRICS]
    flat = by_speaker.reshape(len(by_speaker), -1)
    found = intervals_of_sums(flat, statistic, seed=seed, level=LEVEL, bounds=bounds)
    ends = [(None, None) if one.method == "none" else (one.low, one.high) for one in found]
    return {metric: (*pair, one.method) for metric, pair, one in zip(METRICS, ends, found, strict=True)}


def jackknife(sums: NDArray[np.float64], *, values_of: ValuesOf) -> dict[str, Spread]:
    """The standard error of the mean over seeds, by metric.

    Args:
        sums: `(seeds, speakers, …)` of what is added up over speakers.
        values_of: From their sums to a value of each metric and seed.
    """
    num_seeds, num_speakers = sums.shape[:2]
    if num_speakers < 2:
        unknown = Spread(standard_error=None, degrees=0.0, num_speakers=num_speakers, num_seeds=num_seeds)
        return dict.fromkeys(METRICS, unknown)
    total = sums.sum(axis=1)
    without = values_of(total - np.moveaxis(sums, 1, 0)).mean(axis=1)  # (speakers, metrics)
    of_speakers = ((without - without.mean(axis=0)) ** 2).sum(axis=0) * (num_speakers - 1) / num_speakers
    of_seeds = values_of(total).var(axis=0, ddof=1) / num_seeds if num_seeds > 1 else np.zeros(len(METRICS))
    pairs = zip(of_speakers.tolist(), of_seeds.tolist(), strict=True)
    spreads = [_spread(*pair, num_speakers=num_speakers, num_seeds=num_seeds) for pair in pairs]
    return dict(zip(METRICS, spreads, strict=True))


def _spread(of_speakers: float, of_seeds: float, *, num_speakers: int, num_seeds: int) -> Spread:
    """Of two parts of a variance, each with degrees of freedom of its own."""
    error = of_speakers + of_seeds
    parts = ((of_speakers, num_speakers - 1), (of_seeds, num_seeds - 1))
    scale = sum(part**2 / degrees for part, degrees in parts if part)
    return Spread(
        standard_error=error**0.5,
        degrees=error**2 / scale if scale else float(num_speakers - 1),
        num_speakers=num_speakers,
        num_seeds=num_seeds,
    )


def drawn(sums: NDArray[np.float64], *, values_of: ValuesOf, seed: int) -> NDArray[np.float64]:
    """The mean over seeds in draws of speakers and of seeds, both with replacement: `(NUM_DRAWS, metrics)`.

    Args:
        sums: `(seeds, speakers, …)` of what is added up over speakers.
        values_of: From their sums to a value of each metric and seed.
        seed: Of the draws.
    """
    return np.concatenate(list(_drawn(sums, values_of, generator=np.random.default_rng(seed))))


def _drawn(
    sums: NDArray[np.float64], values_of: ValuesOf, *, generator: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    num_seeds, num_speakers = sums.shape[:2]
    for start in range(0, NUM_DRAWS, CHUNK):
        size = min(CHUNK, NUM_DRAWS - start)
        speakers = generator.multinomial(num_speakers, np.full(num_speakers, 1 / num_speakers), size=size)
        seeds = generator.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=size)
        drawn_sums = np.tensordot(speakers.astype(np.float64), sums, axes=(1, 1))  # (draws, seeds, …)
        yield np.einsum("dsm,ds->dm", values_of(drawn_sums), seeds) / num_seeds
