"""The cross-corpus matrix as a heat map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vietmer_core.comparison.wording import span
from vietmer_core.crosscorpus.entries import Entry
from vietmer_core.evaluation.pictures import save_figure


def matrix_figure(entries: Sequence[Entry], *, names: Sequence[str], metric: str = "macro_f1", title: str) -> Figure:
    """The mean of a metric by the corpus trained on, in rows, and tested on; its interval below it."""
    found = {(entry.train, entry.test): entry for entry in entries}
    values = np.array([[_value(found[train, test], metric) for test in names] for train in names])
    width = 1.7 * len(names) + 2.4
    figure = Figure(figsize=(max(5.0, width), max(3.6, 1.1 * len(names) + 2.0)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for row, train in enumerate(names):
        for column, test in enumerate(names):
            _write(axes, found[train, test], metric, row=row, column=column)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("tested on")
    axes.set_ylabel("trained on")
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axes, label=metric, shrink=0.9)
    return figure


def _value(entry: Entry, metric: str) -> float:
    return np.nan if entry.scores is None else entry.scores.scores[metric].mean


def _write(axes: Axes, entry: Entry, metric: str, *, row: int, column: int) -> None:
    if entry.scores is None:
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="0.9", edgecolor="0.6", hatch="//"))
        axes.text(column, row, "failed", ha="center", va="center", backgroundcolor="0.9")
        return
    score = entry.scores.scores[metric]
    deviation = "" if score.deviation is None else f" ± {score.deviation:.3f}"
    interval = "no interval: 1 speaker" if score.interval.low is None else span(score.interval)
    notes = [interval, f"{len(entry.labels)} labels, {entry.num_utterances} utterances"]
    colour = "black" if score.mean > 0.6 else "white"
    axes.text(column, row - 0.14, f"{score.mean:.3f}{deviation}", ha="center", va="center", color=colour, fontsize=11)
    axes.text(column, row + 0.2, "\n".join(notes), ha="center", va="center", color=colour, fontsize=7)


def draw_matrix(entries: Sequence[Entry], path: Path, *, names: Sequence[str], metric: str, title: str) -> None:
    """Write the heat map as a PNG.

    Raises:
        RunError: if the file cannot be written.
    """
    save_figure(matrix_figure(entries, names=names, metric=metric, title=title), path)
