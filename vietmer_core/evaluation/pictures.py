"""Pictures of scores, drawn without a display."""

import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vietmer_core.evaluation.metrics import Scores
from vietmer_core.files import write_atomically


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG.

    Raises:
        RunError: if the file cannot be written.
    """
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=120)
    write_atomically(path, buffer.getvalue())


def confusion_figure(scores: Scores, *, title: str) -> Figure:
    """The confusion matrix: counts, and the colour of the share of each true class."""
    size = max(4.0, 0.8 * len(scores.labels) + 2.0)
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    axes = figure.add_subplot()
    share = scores.confusion / np.maximum(scores.confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(scores.confusion):
        colour = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(scores.labels)), scores.labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(scores.labels)), scores.labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def draw_confusion(scores: Scores, path: Path, *, title: str) -> None:
    """Write the confusion matrix as a PNG.

    Raises:
        RunError: if the file cannot be written.
    """
    save_figure(confusion_figure(scores, title=title), path)
