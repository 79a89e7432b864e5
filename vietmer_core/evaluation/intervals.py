"""Confidence intervals clustered by speaker. Torch-free.

Utterances of one speaker are not independent, so whole speakers are drawn (Field and Welsh 2007, "Bootstrapping
clustered data"). From `FEW_CLUSTERS` speakers on, an interval is that of the percentiles of such a bootstrap, taken so
much further out as Student's t with one degree of freedom less than speakers is wider than a normal law (Hesterberg
2015, "What teachers should know about the bootstrap": the expanded percentile interval). With fewer speakers that is
still too narrow, and the draws are few: then each speaker is left out once, and the interval is Student's with the
standard error of that (Efron and Tibshirani 1993, chapter 11; MacKinnon, Nielsen and Webb 2023, "Leverage, influence,
and the jackknife in clustered regression models"), between its bounds on a logit scale. `benchmarks/coverage.py`
measures how often each covers.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from vietmer_core.evaluation.cluster_sums import METRICS, SHARES, cluster_sums, metric_of_sums, metrics_of_sums
from vietmer_core.evaluation.outcomes import Outcomes

FEW_CLUSTERS: Final = 20
"""From so many speakers on whole speakers are drawn."""
FEWEST_CLUSTERS: Final = 4
"""With fewer speakers an interval spans most of the scale, and rests on a normal law that they cannot show."""
NUM_DRAWS: Final = 2000
DRAWN_AT_ONCE: Final = 2_000_000
"""Speakers drawn in one step of the bootstrap, so that many speakers need little memory."""

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Of sums `(…, features)`: `(…,)`, or `(…, metrics)` for several at once."""
Bounds = tuple[float, float]
"""Between which values a statistic lies."""
UNBOUNDED: Final[Bounds] = (-np.inf, np.inf)


@attrs.frozen(kw_only=True)
class Interval:
    """A confidence interval and how many clusters it rests on.

    Attributes:
        low: Its lower end; NaN where there is no interval.
        high: Its upper end.
        level: How often, in the long run, such an interval holds the score of all speakers.
        num_clusters: Speakers behind it; each utterance of an unknown speaker counts as one.
        method: `bootstrap`, `jackknife-t`, or `none` where one speaker says nothing of others.
    """

    low: float
    high: float
    level: float
    num_clusters: int
    method: Literal["bootstrap", "jackknife-t", "none"]

    @property
    def too_few(self) -> bool:
        """Whether so few speakers stand behind it that it tells little, and that only if speakers differ normally."""
        return self.num_clusters < FEWEST_CLUSTERS

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file; null where there is no interval."""
        ends = {"low": self.low, "high": self.high}
        return {
            **{name: None if np.isnan(value) else value for name, value in ends.items()},
            "level": self.level,
            "num_clusters": self.num_clusters,
            "method": self.method,
            "too_few": self.too_few,
        }

    def __str__(self) -> str:
        return "[no interval]" if self.method == "none" else f"[{self.low:.3f}, {self.high:.3f}]"


def clustered_intervals(
    outcomes: Outcomes,
    *,
    metrics: Sequence[str] = METRICS,
    seed: int,
    level: float = 0.95,
    num_draws: int = NUM_DRAWS,
) -> dict[str, Interval]:
    """The intervals of scores of a split.

    Args:
        outcomes: Of the split.
        metrics: Some of `cluster_sums.METRICS`.
        seed: Of the draws.
        level: Of the intervals.
        num_draws: Draws of the bootstrap.
    """
    found = intervals_of_sums(
        cluster_sums(outcomes),
        metrics_of_sums,
        seed=seed,
        level=level,
        num_draws=num_draws,
        bounds=[(0.0, 1.0) if metric in SHARES else (0.0, np.inf) for metric in METRICS],
    )
    return {metric: found[METRICS.index(metric)] for metric in metrics}


def difference_interval(
    first: Outcomes,
    second: Outcomes,
    *,
    metric: str,
    seed: int,
    level: float = 0.95,
    num_draws: int = NUM_DRAWS,
) -> Interval:
    """The interval of the first score minus the second, where equal numbers in `clusters` are the same speaker.

    Both may be of the same utterances (two models), of the same speakers, or of different speakers (two subgroups).

    Args:
        first: Outcomes over a label space.
        second: Outcomes over the same.
        metric: One of `cluster_sums.METRICS`.
        seed: Of the draws.
        level: Of the interval.
        num_draws: Draws of the bootstrap.
    """
    names = np.union1d(first.clusters, second.clusters)
    parts = []
    for outcomes in (first, second):
        sums = cluster_sums(outcomes)
        spread = np.zeros((len(names), sums.shape[1]))
        spread[np.searchsorted(names, np.unique(outcomes.clusters))] = sums
        parts.append(spread)
    width = parts[0].shape[1]

    def difference(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return metric_of_sums(sums[..., :width], metric) - metric_of_sums(sums[..., width:], metric)

    span = 1.0 if metric in SHARES else np.inf
    (found,) = intervals_of_sums(
        np.hstack(parts),
        difference,
        seed=seed,
        level=level,
        num_draws=num_draws,
        bounds=[(-span, span)],
        num_clusters=min(first.num_clusters, second.num_clusters),
    )
    return found


def intervals_of_sums(
    sums: NDArray[np.float64],
    statistic: Statistic,
    *,
    seed: int,
    level: float = 0.95,
    num_draws: int = NUM_DRAWS,
    bounds: Sequence[Bounds] = (UNBOUNDED,),
    num_clusters: int | None = None,
) -> list[Interval]:
    """The intervals of any statistic of sums over clusters.

    Args:
        sums: `(clusters, features)`.
        statistic: Of sums `(…, features)`: `(…,)` or `(…, metrics)`.
        seed: Of the draws.
        level: Of the intervals.
        num_draws: Draws of the bootstrap.
        bounds: Of each metric.
        num_clusters: How many the statistic rests on, where these are fewer than `sums` has.
    """
    count = len(sums) if num_clusters is None else num_clusters
    width = len(bounds)
    if count < 2:
        method: Literal["bootstrap", "jackknife-t", "none"] = "none"
        ends = np.full((2, width), np.nan)
    elif count < FEW_CLUSTERS:
        method = "jackknife-t"
        ends = _jackknife(sums, statistic, level=level, count=count, bounds=bounds)
    else:
        method = "bootstrap"
        values = bootstrap(sums, statistic, seed=seed, num_draws=num_draws).reshape(num_draws, width)
        tail = expanded_tail(count, level=level)
        ends = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return [
        Interval(low=float(low), high=float(high), level=level, num_clusters=count, method=method)
        for low, high in ends.T
    ]


def expanded_tail(num_clusters: int, *, level: float) -> float:
    """The share of the draws left out at each end: less than (1 - level) / 2, the more so the fewer the clusters."""
    student = stats.t.ppf((1 + level) / 2, num_clusters - 1)
    return float(stats.norm.cdf(-student * np.sqrt(num_clusters / (num_clusters - 1))))


def bootstrap(sums: NDArray[np.float64], statistic: Statistic, *, seed: int, num_draws: int) -> NDArray[np.float64]:
    """The statistic `(draws, …)` of draws of whole clusters, with replacement, from `sums (clusters, features)`."""
    return np.concatenate([statistic(weights @ sums) for weights in _weights(len(sums), seed=seed, draws=num_draws)])


def _weights(num_clusters: int, *, seed: int, draws: int) -> Iterator[NDArray[np.float64]]:
    """How often each cluster is drawn, `(some draws, clusters)`; the same numbers in parts of any size."""
    generator = np.random.default_rng(seed)
    step = max(1, DRAWN_AT_ONCE // num_clusters)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        chosen = generator.integers(num_clusters, size=(rows, num_clusters))
        cells = chosen + num_clusters * np.arange(rows)[:, None]
        counts = np.bincount(cells.ravel(), minlength=rows * num_clusters)
        yield counts.reshape(rows, num_clusters).astype(np.float64)


def _jackknife(
    sums: NDArray[np.float64], statistic: Statistic, *, level: float, count: int, bounds: Sequence[Bounds]
) -> NDArray[np.float64]:
    """Student's intervals `(2, metrics)` with the standard error of leaving out one cluster at a time."""
    total = sums.sum(axis=0)
    values = statistic(np.vstack([total, total - sums])).reshape(len(sums) + 1, len(bounds))
    reach = stats.t.ppf((1 + level) / 2, count - 1)
    return np.column_stack(
        [
            _student(column, low=low, high=high, reach=reach)
            for column, (low, high) in zip(values.T, bounds, strict=True)
        ]
    )


def _student(values: NDArray[np.float64], *, low: float, high: float, reach: float) -> NDArray[np.float64]:
    """One interval `(2,)` from the whole, first, and what it is without each cluster.

    Between two bounds it is found on the scale of log((x - low) / (high - x)), unless a value stands at a bound.
    """
    is_inside = bool(np.isfinite([low, high]).all() and ((values > low) & (values < high)).all())
    scaled = np.log((values - low) / (high - values)) if is_inside else values
    whole, left = scaled[0], scaled[1:]
    error = np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())
    ends = np.array([whole - reach * error, whole + reach * error])
    found: NDArray[np.float64] = low + (high - low) * expit(ends) if is_inside else np.clip(ends, low, high)
    return found
