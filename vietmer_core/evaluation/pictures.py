"""Pictures of scores, drawn without a display."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vietmer_core.evaluation.metrics import Scores
from vietmer_core.evaluation.reliability import ProbabilityScores
from vietmer_core.evaluation.risk_coverage import RiskCoverage
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


def reliability_figure(scores: ProbabilityScores, *, title: str, temperature: float | None = None) -> Figure:
    """Accuracy by confidence, and how many utterances each bin has; on the diagonal probabilities can be believed."""
    figure = Figure(figsize=(4.8, 5.2), layout="constrained")
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [part for part in scores.reliability if part.count]
    centres = [(part.low + part.high) / 2 for part in filled]
    width = 1 / len(scores.reliability)
    accuracy = np.array([part.accuracy for part in filled], dtype=np.float64)
    confidence = np.array([part.confidence for part in filled], dtype=np.float64)
    axes.bar(centres, accuracy, width=0.94 * width, color="#4477aa", label="accuracy")
    gap = np.abs(confidence - accuracy)
    below = np.minimum(accuracy, confidence)
    axes.bar(centres, gap, bottom=below, width=0.94 * width, fill=False, edgecolor="#cc6677", hatch="///", label="gap")
    axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    how = "not calibrated" if temperature is None else f"temperature {temperature:.2f}"
    axes.set_title(f"{title}\n{how}, ECE {scores.ece:.3f}, Brier {scores.brier:.3f}", fontsize=10)
    counts.bar(centres, [part.count for part in filled], width=0.94 * width, color="#888888")
    counts.set(xlabel="confidence", ylabel="utterances")
    return figure


def risk_coverage_figure(
    curve: RiskCoverage, *, title: str, abstain: Mapping[str, float | None] | None = None
) -> Figure:
    """Errors among the answers against the share of utterances that is answered; the threshold in use is marked."""
    figure = Figure(figsize=(4.8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    points = curve.points(most=1000)
    coverage, risk = [point.coverage for point in points], [point.risk for point in points]
    axes.step(coverage, risk, where="post", color="#4477aa")
    axes.axhline(risk[-1], color="#888888", linewidth=1, linestyle="--")
    axes.annotate("without abstaining", (0.01, risk[-1]), xytext=(0, 3), textcoords="offset points", fontsize=8)
    if abstain is not None and abstain["coverage"] is not None and abstain["risk"] is not None:
        label = f"threshold {abstain['threshold']:.3f}"
        axes.plot(abstain["coverage"], abstain["risk"], "o", color="#cc6677", label=label)
        axes.legend(loc="lower right", frameon=False, fontsize=9)
    axes.set(xlim=(0, 1), ylim=(0, max(1.1 * max(risk), 0.05)), xlabel="coverage: share answered")
    axes.set_ylabel("risk: share of answers wrong")
    axes.set_title(f"{title}\nAURC {curve.aurc:.3f}", fontsize=10)
    return figure
