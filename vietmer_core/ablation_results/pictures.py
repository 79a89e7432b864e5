"""Pictures of a matrix: the groups, the levels of each axis, heat maps of two axes. Drawn without a display."""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vietmer_core.ablation_results.rank_picture import ranks_figure
from vietmer_core.comparison.wording import signed

if TYPE_CHECKING:
    from vietmer_core.ablation_results.levels import LevelMean
    from vietmer_core.ablation_results.results import GroupResult, Results

BLUE, RED, GREY = "#4477aa", "#b3384f", "#777777"
MOST_GROUPS = 150
"""Groups in the picture of all of them; of more, the best are shown."""
MOST_RANKED = 60
"""Groups in the diagram of ranks; with more there is none."""

SHORT = 9
"""Letters of a level that stand below a column without being turned."""


def figures_of(results: "Results") -> Iterator[tuple[str, str, Figure]]:
    """Each picture that there is something to draw in: the name of its file, what it shows, the figure."""
    if not results.scored:
        return
    metric = results.metric
    yield "groups", f"{metric} of each group: mean, 95% interval by speaker, and each run", groups_figure(results)
    if results.levels:
        yield "levels", f"{metric} of each level, mean over the other axes, with 95% interval", levels_figure(results)
    ranks = results.ranks
    if ranks is not None and len(ranks.names) <= MOST_RANKED:
        shorts = {row.name: row.short for row in results.rows}
        figure = ranks_figure(ranks, shorts)
        yield "ranks", f"critical difference of mean ranks over {ranks.num_speakers} speakers", figure
    axes = [axis for axis, levels in results.matrix.axes.items() if len(levels) > 1]
    for first, second in combinations(axes, 2):
        shown = f"{metric} by {first} and {second}, mean over the other axes"
        yield f"{file_name(first)}-{file_name(second)}", shown, heat_figure(results, first, second)


def file_name(axis: str) -> str:
    """An axis as a part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in axis)


def groups_figure(results: "Results") -> Figure:
    """Every group with its interval and its runs, best first."""
    rows = results.scored[:MOST_GROUPS]
    figure = Figure(figsize=(7.2, 1.1 + 0.21 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for position, row in enumerate(rows):
        _draw_group(axes, row, position=position, metric=results.metric)
    reference = results.reference
    if reference is not None and reference.scores is not None:
        axes.axvline(reference.scores.scores[results.metric].mean, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_yticks(range(len(rows)), [f"{row.short}{' (reference)' if row.is_reference else ''}" for row in rows])
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.is_reference else "normal")  # as in the table
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(f"{results.metric}; filled: highest or possibly the best; small: single runs")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def _draw_group(axes: Axes, row: "GroupResult", *, position: int, metric: str) -> None:
    if row.scores is None:
        return
    score = row.scores.scores[metric]
    colour = RED if row.is_reference else BLUE
    if score.interval.low is not None and score.interval.high is not None:
        axes.plot([score.interval.low, score.interval.high], [position] * 2, color=colour, linewidth=1.2, alpha=0.75)
    if len(score.per_seed) > 1:
        places = [position] * len(score.per_seed)
        axes.plot(score.per_seed, places, ".", color=GREY, markersize=3.5, zorder=3)
    fill = colour if row.standing else "white"
    axes.plot(score.mean, position, "o", color=colour, markerfacecolor=fill, markersize=5, zorder=4)


def levels_figure(results: "Results") -> Figure:
    """Marginal means, and, at the right, differences from the reference's level, whose intervals are what tells."""
    by_axis: dict[str, list[LevelMean]] = {}
    for one in results.levels:
        by_axis.setdefault(one.axis, []).append(one)
    sizes = [len(levels) for levels in by_axis.values()]
    height = 0.9 + 0.28 * sum(sizes) + 0.3 * len(sizes)
    figure = Figure(figsize=(7.2, height), layout="constrained")
    panels = figure.subplots(len(sizes), 2, sharex="col", squeeze=False, height_ratios=[size + 0.6 for size in sizes])
    for (means, differences), levels in zip(panels, by_axis.values(), strict=True):
        base = results.matrix.reference.get(levels[0].axis)
        _draw_means(means, levels, base=base)
        _draw_differences(differences, levels)
    panels[-1, 0].set_xlabel(results.metric)
    panels[-1, 1].set_xlabel("difference from the reference's level")
    return figure


def _draw_means(axes: Axes, levels: "list[LevelMean]", *, base: str | None) -> None:
    for position, one in enumerate(levels):
        colour = RED if one.level == base else BLUE
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [position] * 2, color=colour, linewidth=1.4)
        axes.plot(one.mean, position, "o", color=colour, markersize=5)
    axes.set_yticks(range(len(levels)), [one.level for one in levels])
    axes.set_title(levels[0].axis, fontsize=10, loc="left", fontweight="bold")
    _finish(axes, len(levels))


def _draw_differences(axes: Axes, levels: "list[LevelMean]") -> None:
    axes.axvline(0, color=RED, linewidth=1)
    for position, one in enumerate(levels):
        if one.difference is None:
            continue
        found = one.difference
        if found.low is not None and found.high is not None:
            axes.plot([found.low, found.high], [position] * 2, color=BLUE, linewidth=1.4)
        axes.plot(found.value, position, "o", color=BLUE, markersize=5)
        axes.annotate(
            signed(found.value),
            (found.value, position),
            xytext=(0, 4),
            textcoords="offset points",
            fontsize=7,
            ha="center",
        )
    axes.set_yticks([])
    _finish(axes, len(levels))


def _finish(axes: Axes, number: int) -> None:
    axes.set_ylim(number - 0.4, -0.7)
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def heat_figure(results: "Results", first: str, second: str) -> Figure:
    """The mean of every pair of levels of two axes; hatched where no group has a score."""
    rows, columns = results.matrix.axes[first], results.matrix.axes[second]
    values = heat_values(results, first, second)
    longest = max(len(level) for level in (*rows, *columns))
    figure = Figure(
        figsize=(max(3.6, 1.6 + 0.85 * len(columns)), max(2.4, 1.0 + 0.06 * longest + 0.5 * len(rows))),
        layout="constrained",
    )
    axes = figure.add_subplot()
    axes.set_facecolor("#eeeeee")
    image = axes.imshow(values, cmap="viridis" if results.higher_is_better else "viridis_r", aspect="auto")
    brightness = image.to_rgba(values)[..., :3] @ np.array([0.299, 0.587, 0.114])
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            axes.text(column, row, "none", ha="center", va="center", color=GREY, fontsize=8)
        else:
            colour = "black" if brightness[row, column] > 0.5 else "white"
            axes.text(column, row, f"{value:.3f}", ha="center", va="center", color=colour, fontsize=9)
    if max(map(len, columns)) > SHORT:
        axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel(second)
    axes.set_ylabel(first)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label=results.metric)
    return figure


def heat_values(results: "Results", first: str, second: str) -> NDArray[np.float64]:
    """`(levels, levels)` means over groups; NaN where there is none.

    They are over those combinations of the other axes that have a score at every pair of levels that has any; where
    there is no such combination, over all that a pair has.
    """
    rows, columns = results.matrix.axes[first], results.matrix.axes[second]
    found: dict[tuple[int, int], dict[tuple[str, ...], float]] = {}
    for row in results.scored:
        if row.scores is not None and not row.apart:
            place = (rows.index(row.levels[first]), columns.index(row.levels[second]))
            rest = tuple(level for axis, level in row.levels.items() if axis not in (first, second))
            found.setdefault(place, {})[rest] = row.scores.scores[results.metric].mean
    shared = set.intersection(*(set(parts) for parts in found.values())) if found else set()
    values = np.full((len(rows), len(columns)), np.nan)
    for place, parts in found.items():
        values[place] = np.mean([value for rest, value in parts.items() if rest in shared or not shared])
    return values
