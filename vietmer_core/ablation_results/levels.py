"""Marginal means: each level of an axis, averaged over the other axes. Torch-free."""

from collections.abc import Iterator, Mapping

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.ablation_results.design import Design
from vietmer_core.comparison.corrections import holm


@attrs.frozen(kw_only=True)
class LevelDifference:
    """A level minus the reference's.

    Attributes:
        value: Of the marginal means.
        low: Lower end of its interval; None with one speaker.
        high: Upper end.
        p: Two-sided, of t; None with one speaker.
        p_holm: Corrected for the levels of the axis.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None


@attrs.frozen(kw_only=True)
class LevelMean:
    """The marginal mean of a level.

    Attributes:
        axis: Its axis.
        level: Its name.
        num_groups: Groups that it is the mean of.
        mean: Over combinations of the other axes in which every level of this one has a value.
        low: Lower end of its interval of 95 %; None with one speaker.
        high: Upper end.
        difference: From the level of the reference; None for this level itself, or where it is not among them.
    """

    axis: str
    level: str
    num_groups: int
    mean: float
    low: float | None
    high: float | None
    difference: LevelDifference | None


def level_means(design: Design, *, reference: Mapping[str, str], bounds: tuple[float, float]) -> tuple[LevelMean, ...]:
    """The marginal means of each axis that has several levels.

    Args:
        design: The groups.
        reference: The level of the reference on each axis.
        bounds: Between which values the metric lies.
    """
    found: list[LevelMean] = []
    for index, (axis, names) in enumerate(design.axes.items()):
        weights = level_weights(design, index)
        if len(weights) > 1:
            base = names.index(reference[axis]) if reference.get(axis) in names else -1
            found += _corrected(list(_means(design, axis, weights, base=base, bounds=bounds)))
    return tuple(found)


def level_weights(design: Design, index: int) -> dict[int, NDArray[np.float64]]:
    """For each level of an axis that has groups, `(groups,)` weights of its mean; empty where none can be compared.

    The mean is over those combinations of the other axes that have a group at every level of this one.
    """
    own = design.codes[:, index]
    others = np.delete(design.codes, index, axis=1)
    _, inverse = np.unique(others, axis=0, return_inverse=True)
    rest = inverse.ravel() if others.shape[1] else np.zeros(len(own), dtype=np.int64)
    levels = sorted(set(own.tolist()))
    whole = [
        combination for combination in set(rest.tolist()) if len(set(own[rest == combination].tolist())) == len(levels)
    ]
    if not whole:
        return {}
    return {level: np.where((own == level) & np.isin(rest, whole), 1.0, 0.0) / len(whole) for level in levels}


def _means(
    design: Design,
    axis: str,
    weights: Mapping[int, NDArray[np.float64]],
    *,
    base: int,
    bounds: tuple[float, float],
) -> Iterator[LevelMean]:
    width = bounds[1] - bounds[0]
    for level, own in weights.items():
        mean, low, high, _ = _estimate(design, own, bounds=bounds)
        difference = None
        if base in weights and level != base:
            value, lowest, highest, p = _estimate(design, own - weights[base], bounds=(-width, width))
            difference = LevelDifference(value=value, low=lowest, high=highest, p=p, p_holm=None)
        yield LevelMean(
            axis=axis,
            level=design.axes[axis][level],
            num_groups=int((own > 0).sum()),
            mean=mean,
            low=low,
            high=high,
            difference=difference,
        )


def _estimate(
    design: Design, weights: NDArray[np.float64], *, bounds: tuple[float, float]
) -> tuple[float, float | None, float | None, float | None]:
    """A sum of values, its interval and the p of 0."""
    value, spread = float(weights @ design.values), design.spread(weights)
    reach = spread.reach()
    if reach is None:
        return value, None, None, None
    return value, max(value - reach, bounds[0]), min(value + reach, bounds[1]), spread.p_value(value)


def _corrected(means: list[LevelMean]) -> Iterator[LevelMean]:
    tested = [one.difference.p for one in means if one.difference is not None and one.difference.p is not None]
    adjusted = iter(holm(tested))
    for one in means:
        if one.difference is None or one.difference.p is None:
            yield one
        else:
            yield attrs.evolve(one, difference=attrs.evolve(one.difference, p_holm=next(adjusted)))
