"""The scores of a changed split beside those of the same utterances unchanged. Torch-free."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.evaluation.cluster_sums import METRICS, SHARES, cluster_sums, metrics_of_sums
from vietmer_core.evaluation.intervals import Interval, intervals_of_sums
from vietmer_core.evaluation.outcomes import Outcomes

SPANS = [1.0 if metric in SHARES else np.inf for metric in METRICS]
"""What a difference of each score reaches at most."""


@attrs.frozen(kw_only=True, eq=False)
class Comparison:
    """A changed split beside the unchanged one.

    Attributes:
        num_utterances: Utterances compared.
        num_left_out: Utterances that the change does not concern.
        unchanged: Their scores as they are, by the names of `cluster_sums.METRICS`.
        scores: The same scores with the change; the mean over draws.
        kept: Share of the predictions that stay as they were; the mean over draws.
        intervals: Of the difference of each score, changed minus unchanged.
    """

    num_utterances: int
    num_left_out: int
    unchanged: Mapping[str, float]
    scores: Mapping[str, float]
    kept: float
    intervals: Mapping[str, Interval]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "num_utterances": self.num_utterances,
            "num_left_out": self.num_left_out,
            "unchanged": dict(self.unchanged),
            "scores": dict(self.scores),
            "difference": {name: value - self.unchanged[name] for name, value in self.scores.items()},
            "kept": self.kept,
            "intervals": {name: interval.as_json() for name, interval in self.intervals.items()},
        }


def compare(
    before: Outcomes, after: Sequence[Outcomes], *, compared: Sequence[NDArray[np.bool_]], seed: int
) -> Comparison | None:
    """Compare a split as it is with its draws; None where no utterance is left.

    The interval is paired: a speaker is drawn together with all predictions of his utterances, so that what is hard
    with and without the change takes no part in it. The draws of the change count as given, and so do the donors of
    what is exchanged, though they are of other speakers.

    Args:
        before: Unchanged.
        after: One for each draw, of the same utterances.
        compared: For each draw, `(utterances,)`, those that it concerns; those are compared that all draws concern.
        seed: Of the bootstrap.
    """
    rows = np.flatnonzero(np.logical_and.reduce(list(compared)))
    if not len(rows):
        return None
    chosen = [outcomes.chosen(rows) for outcomes in (before, *after)]
    sums = [cluster_sums(outcomes) for outcomes in chosen]
    scores = [_named(metrics_of_sums(found.sum(axis=0))) for found in sums]
    return Comparison(
        num_utterances=len(rows),
        num_left_out=len(before) - len(rows),
        unchanged=scores[0],
        scores={metric: float(np.mean([found[metric] for found in scores[1:]])) for metric in METRICS},
        kept=float(np.mean([outcomes.predicted == chosen[0].predicted for outcomes in chosen[1:]])),
        intervals=_difference_intervals(sums, seed=seed),
    )


def scores_of(outcomes: Outcomes) -> dict[str, float]:
    """The scores of a split by name."""
    return _named(metrics_of_sums(cluster_sums(outcomes).sum(axis=0)))


def _named(values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(METRICS, values.tolist(), strict=True))


def _difference_intervals(sums: Sequence[NDArray[np.float64]], *, seed: int) -> dict[str, Interval]:
    """Of the mean over all but the first, minus the first; `sums (clusters, features)` of the same clusters."""
    width = sums[0].shape[1]

    def difference(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [metrics_of_sums(drawn[..., start : start + width]) for start in range(0, drawn.shape[-1], width)]
        found: NDArray[np.float64] = np.mean(parts[1:], axis=0) - parts[0]  # (…, metrics)
        return found

    found = intervals_of_sums(np.hstack(sums), difference, seed=seed, bounds=[(-span, span) for span in SPANS])
    return dict(zip(METRICS, found, strict=True))


def mean_interval(values: NDArray[np.float64], *, clusters: NDArray[np.int64], seed: int) -> Interval:
    """The interval by speaker of a mean over utterances, `values (utterances,)`."""
    _, codes = np.unique(clusters, return_inverse=True)
    sums = np.column_stack([np.bincount(codes, weights=values), np.bincount(codes)]).astype(np.float64)

    def mean(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = drawn[..., 0] / drawn[..., 1]
        return found

    (found,) = intervals_of_sums(sums, mean, seed=seed)
    return found
