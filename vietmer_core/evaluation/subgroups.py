"""Scores by subgroup, and how far the best and the worst served lie apart. Torch-free."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.evaluation.cluster_sums import METRICS, cluster_sums, metrics_of_sums
from vietmer_core.evaluation.intervals import Interval, clustered_intervals, difference_interval
from vietmer_core.evaluation.outcomes import Outcomes

FEW_UTTERANCES: Final = 30
"""A group of fewer utterances is marked, and left out of the gap."""
COMPARED: Final = ("accuracy", "balanced_accuracy", "macro_f1")


@attrs.frozen(kw_only=True)
class Group:
    """The scores of the utterances that have one value of a field.

    Attributes:
        num_utterances: How many they are.
        num_clusters: Speakers among them.
        scores: Each of `COMPARED`.
        interval: Of macro-F1, by speaker.
        is_small: Whether they are too few for the gap.
    """

    num_utterances: int
    num_clusters: int
    scores: dict[str, float]
    interval: Interval
    is_small: bool

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "num_utterances": self.num_utterances,
            "num_clusters": self.num_clusters,
            **self.scores,
            "interval": self.interval.as_json(),
            "is_small": self.is_small,
        }


@attrs.frozen(kw_only=True)
class Gap:
    """The distance between the best and the worst group in one metric.

    Attributes:
        value: Highest minus lowest score of the groups that are not small.
        best: The group with the highest.
        worst: The group with the lowest.
        interval: Of the difference of these two groups, by speaker; one that holds 0 tells no difference. The two were
            chosen by looking at the same scores, so among many groups it is too hopeful.
    """

    value: float
    best: str
    worst: str
    interval: Interval

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {"best": self.best, "worst": self.worst, "interval": self.interval.as_json()}


@attrs.frozen(kw_only=True)
class Subgroups:
    """The groups of one field, by value, and the gap in each of `COMPARED`; no gap where fewer than two count."""

    groups: dict[str, Group]
    gaps: dict[str, Gap]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "groups": {value: group.as_json() for value, group in self.groups.items()},
            "gap": {metric: gap.value for metric, gap in self.gaps.items()},
            "gap_details": {metric: gap.as_json() for metric, gap in self.gaps.items()},
        }


def subgroups(outcomes: Outcomes, fields: Mapping[str, Sequence[str | None]], *, seed: int) -> dict[str, Subgroups]:
    """Scores by each field.

    Args:
        outcomes: Of a split.
        fields: Name → the value of each utterance, None where it has none; such utterances are in no group.
        seed: Of the intervals.
    """
    return {name: _by_value(outcomes, np.array(values, dtype=object), seed=seed) for name, values in fields.items()}


def _by_value(outcomes: Outcomes, values: NDArray[np.object_], *, seed: int) -> Subgroups:
    names = sorted({value for value in values.tolist() if value is not None}, key=_natural)
    parts = {name: outcomes.chosen(values == name) for name in names}
    groups = {name: _group(part, seed=seed) for name, part in parts.items()}
    counted = [name for name in names if not groups[name].is_small]
    gaps = {}
    if len(counted) > 1:
        for metric in COMPARED:
            ranked = sorted(counted, key=lambda name: groups[name].scores[metric])
            best, worst = ranked[-1], ranked[0]
            gaps[metric] = Gap(
                value=groups[best].scores[metric] - groups[worst].scores[metric],
                best=best,
                worst=worst,
                interval=difference_interval(parts[best], parts[worst], metric=metric, seed=seed),
            )
    return Subgroups(groups=groups, gaps=gaps)


def _natural(name: str) -> tuple[float, str]:
    """Names that begin with a number are ordered by it."""
    number = re.match(r"\d+(\.\d+)?", name)
    return float(number[0]) if number else float("inf"), name


def _group(part: Outcomes, *, seed: int) -> Group:
    found = dict(zip(METRICS, metrics_of_sums(cluster_sums(part).sum(axis=0)).tolist(), strict=True))
    return Group(
        num_utterances=len(part),
        num_clusters=part.num_clusters,
        scores={metric: found[metric] for metric in COMPARED},
        interval=clustered_intervals(part, metrics=("macro_f1",), seed=seed)["macro_f1"],
        is_small=len(part) < FEW_UTTERANCES,
    )
