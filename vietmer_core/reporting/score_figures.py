"""The figures of one run: learning curves, confusion, reliability, risk against coverage, subgroups."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vietmer_core.reporting.drawing import BLUE, COLUMN, GREY, INK, ORANGE, Drawing, sheet
from vietmer_core.reporting.evidence import RunEvidence
from vietmer_core.reporting.wording import METRIC_NAMES, interval_text, shortened, three

MOST_COUNTED: Final = 12
"""With more labels than this a confusion matrix has no room for counts."""
WIDE: Final = 7.0
"""Inches: both columns of a page."""


def score_drawings(run: RunEvidence) -> list[Drawing]:
    """Each figure that a run has what it takes for."""
    found = [_confusion(run), _reliability(run), _risk_coverage(run)]
    curves = [_curves(run)] if run.epochs else []
    return [*curves, *found, *([_subgroups(run)] if run.scores["subgroups"] else [])]


def _curves(run: RunEvidence) -> Drawing:
    monitor = str(run.status.get("monitor", "macro_f1"))
    best = run.status.get("best_epoch")
    values = [record["valid_metrics"][monitor] for record in run.epochs]
    chosen = "" if best is None else f"; validation chose epoch {best + 1}"
    name = METRIC_NAMES.get(monitor, monitor)

    def draw() -> Figure:
        figure = sheet(1.8)
        losses, metric = figure.subplots(1, 2)
        epochs = [record["epoch"] + 1 for record in run.epochs]
        losses.plot(epochs, [record["train_loss"] for record in run.epochs], color=BLUE, marker="o", label="train")
        valid = [record["valid_metrics"]["loss"] for record in run.epochs]
        losses.plot(epochs, valid, color=ORANGE, marker="s", linestyle="--", label="validation")
        losses.set(xlabel="epoch", ylabel="loss")
        losses.legend(frameon=False)
        metric.plot(epochs, values, color=ORANGE, marker="s", linestyle="--")
        metric.set(xlabel="epoch", ylabel=f"validation {name}")
        for axes in (losses, metric):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
            if best is not None:
                axes.axvline(best + 1, color=INK, linewidth=0.8, linestyle=":")
        return figure

    return Drawing(
        name="curves",
        caption=f"Learning curves: loss, and {name} on validation{chosen} (dotted line).",
        alt=f"Two line charts over {len(run.epochs)} epochs. Validation {name} goes from {three(values[0])} to "
        f"{three(values[-1])}, highest {three(max(values))}{chosen}.",
        draw=draw,
    )


def _confusion(run: RunEvidence) -> Drawing:
    labels, counts = run.labels, np.array(run.scores["confusion"])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    many = len(labels) > MOST_COUNTED
    worst = share - np.eye(len(labels)) * share
    row, column = np.unravel_index(int(worst.argmax()), worst.shape)
    told = f"{labels[row]} taken for {labels[column]}, {counts[row, column]} of {counts[row].sum()}"
    most = f"The most frequent confusion is {told}" if worst.any() else "Nothing is confused"

    def draw() -> Figure:
        width = WIDE if many else COLUMN
        figure = sheet(0.86 * width, width=width)
        axes = figure.add_subplot()
        colours = LinearSegmentedColormap.from_list("shares", [(BLUE, 0.06), (BLUE, 1.0)], N=10)
        mesh = axes.pcolormesh(np.where(counts > 0, share, np.nan), cmap=colours, vmin=0, vmax=1)
        if not many:
            _write_counts(axes, counts, share, size=min(7.0, 60 / len(labels)))
        places, names = np.arange(len(labels)) + 0.5, [shortened(label, 16) for label in labels]
        axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(places, names)
        axes.set(xlabel="predicted", ylabel="true", aspect="equal")
        axes.invert_yaxis()
        figure.colorbar(mesh, ax=axes, label="share of the true class", shrink=0.8)
        return figure

    return Drawing(
        name="confusion",
        caption="Confusion: " + ("shares" if many else "utterances, shaded by their share") + " of the true class.",
        alt=f"Confusion matrix of {len(labels)} labels. {most}.",
        draw=draw,
    )


def _write_counts(axes: Axes, counts: np.ndarray[Any, Any], share: np.ndarray[Any, Any], *, size: float) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if share[row, column] > 0.6 else INK
            axes.text(column + 0.5, row + 0.5, str(count), ha="center", va="center", color=colour, fontsize=size)


def _reliability(run: RunEvidence) -> Drawing:
    found = run.scores["calibration"]
    parts = [("not calibrated", found["uncalibrated"])]
    if run.temperature is not None:
        parts = [("before", found["uncalibrated"]), (f"after, T = {run.temperature:.2f}", found)]

    def draw() -> Figure:
        figure = sheet(2.5)
        grid = figure.subplots(2, len(parts), sharex=True, sharey="row", height_ratios=(3, 1), squeeze=False)
        for column, (title, scores) in enumerate(parts):
            _bins(grid[0, column], grid[1, column], scores)
            grid[0, column].set_title(f"{title}: ECE {three(scores['ece'])}")
        grid[0, 0].set_ylabel("accuracy")
        grid[1, 0].set_ylabel("utterances")
        figure.supxlabel("confidence", fontsize=7.5)
        return figure

    return Drawing(
        name="reliability",
        caption="Reliability: accuracy by confidence, and the utterances of each span. On the diagonal probabilities "
        "can be believed; hatched is the gap.",
        alt="Reliability diagram. " + " ".join(f"{title}: ECE {three(scores['ece'])}." for title, scores in parts),
        draw=draw,
    )


def _bins(axes: Axes, below: Axes, scores: Mapping[str, Any]) -> None:
    filled = [part for part in scores["reliability"] if part["count"]]
    centres = [(part["low"] + part["high"]) / 2 for part in filled]
    width = 0.92 / len(scores["reliability"])
    accuracy = np.array([part["accuracy"] for part in filled])
    confidence = np.array([part["confidence"] for part in filled])
    axes.bar(centres, accuracy, width=width, color=BLUE)
    bottom = np.minimum(accuracy, confidence)
    gap = np.abs(confidence - accuracy)
    axes.bar(centres, gap, bottom=bottom, width=width, fill=False, edgecolor=ORANGE, hatch="/////", linewidth=0.8)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    below.bar(centres, [part["count"] for part in filled], width=width, color=GREY)


def _risk_coverage(run: RunEvidence) -> Drawing:
    points = run.scores["risk_coverage"]
    coverage, risk = [point["coverage"] for point in points], [point["risk"] for point in points]
    rule = run.scores["abstain"]

    def draw() -> Figure:
        figure = sheet(2.0)
        axes = figure.add_subplot()
        axes.step(coverage, risk, where="post", color=BLUE, label="with it")
        axes.axhline(risk[-1], color=GREY, linewidth=0.9, linestyle="--", label="without abstaining")
        if rule is not None and rule["risk"] is not None:
            label = f"threshold {three(rule['threshold'])}"
            axes.plot(rule["coverage"], rule["risk"], "D", color=ORANGE, markersize=5, label=label)
        axes.set(xlim=(0, 1.01), ylim=(0, max(1.1 * max(risk), 0.05)), xlabel="coverage: share answered")
        axes.set_ylabel("share of answers wrong")
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        return figure

    half = min(points, key=lambda point: abs(point["coverage"] - 0.5))
    return Drawing(
        name="risk-coverage",
        caption=f"Risk against coverage where the model may abstain; AURC {three(run.scores['aurc'])}.",
        alt=f"Curve of risk against coverage: {three(risk[-1])} of all answers are wrong, {three(half['risk'])} of the "
        f"surest {half['coverage']:.0%}.",
        draw=draw,
    )


def _subgroups(run: RunEvidence) -> Drawing:
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    for field, found in run.scores["subgroups"].items():
        rows += [(field, None), *((value, group) for value, group in found["groups"].items())]
    whole = run.scores["macro_f1"]

    def draw() -> Figure:
        figure = sheet(0.55 + 0.17 * len(rows))
        axes = figure.add_subplot()
        axes.axvline(whole, color=GREY, linewidth=0.9, linestyle="--")
        for place, (_, group) in enumerate(rows):
            if group is not None:
                _draw_group(axes, place, group)
        names = [shortened(name, 24) if group is None else f"{shortened(name, 20)}  " for name, group in rows]
        axes.set_yticks(range(len(rows)), names)
        for tick, (_, group) in zip(axes.get_yticklabels(), rows, strict=True):
            tick.set_fontweight("bold" if group is None else "normal")
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set(xlim=(0, 1), xlabel="macro-F1, interval by speaker; dashed: all")
        return figure

    return Drawing(
        name="subgroups",
        caption="Macro-F1 by subgroup, with intervals by speaker. Open marks: fewer than 30 utterances, or too few "
        "speakers.",
        alt="Macro-F1 by subgroup. " + " ".join(_told(rows)),
        draw=draw,
    )


def _draw_group(axes: Axes, place: int, group: Mapping[str, Any]) -> None:
    interval = group["interval"]
    if interval["low"] is not None:
        axes.plot([interval["low"], interval["high"]], [place, place], color=BLUE, linewidth=1.1)
    weak = group["is_small"] or interval["too_few"]
    axes.plot(group["macro_f1"], place, "o", color=BLUE, markerfacecolor="none" if weak else BLUE, markersize=4.5)


def _told(rows: Sequence[tuple[str, Mapping[str, Any] | None]]) -> list[str]:
    return [
        f"{name}:" if group is None else f"{name} {three(group['macro_f1'])} ({interval_text(group['interval'])});"
        for name, group in rows
    ]
