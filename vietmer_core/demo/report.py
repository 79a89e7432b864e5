"""The demo's report: one HTML page that opens offline, pictures and sound inside."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from vietmer_core.demo.running import CUES, DemoResult, gain_of_fusion, metrics_by_epoch
from vietmer_core.evaluation.pictures import confusion_figure
from vietmer_core.files import write_atomically
from vietmer_core.inference.prediction import Prediction

COLOURS: Final = ("#4477aa", "#cc6677", "#228833")
CUE_TITLES: Final = {"voice": "only the voice tells", "words": "only the words tell", "both": "both agree"}


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    figure.savefig(buffer, format="svg")
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _scores_figure(results: Sequence[DemoResult]) -> Figure:
    figure = Figure(figsize=(5.2, 2.4), layout="constrained")
    axes = figure.add_subplot()
    for row, (result, colour) in enumerate(zip(results, COLOURS, strict=True)):
        interval = result.evaluation.macro_f1_interval
        axes.barh(row, result.macro_f1, color=colour, height=0.6)
        axes.plot([interval.low, interval.high], [row, row], color="black", linewidth=1.5, marker="|")
    axes.set_yticks(range(len(results)), [result.title for result in results])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("macro-F1 on the test split, 95% interval by speaker")
    return figure


def _cue_figure(results: Sequence[DemoResult]) -> Figure:
    figure = Figure(figsize=(5.2, 2.8), layout="constrained")
    axes = figure.add_subplot()
    for index, (result, colour) in enumerate(zip(results, COLOURS, strict=True)):
        heights = [result.by_cue.get(cue, 0.0) for cue in CUES]
        axes.bar(np.arange(len(CUES)) + 0.27 * (index - 1), heights, width=0.25, color=colour, label=result.title)
    axes.set_xticks(range(len(CUES)), [CUE_TITLES[cue] for cue in CUES])
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("accuracy")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def _curve_figure(results: Sequence[DemoResult]) -> Figure:
    figure = Figure(figsize=(5.2, 2.8), layout="constrained")
    axes = figure.add_subplot()
    for result, colour in zip(results, COLOURS, strict=True):
        records = metrics_by_epoch(result)
        epochs = [record["epoch"] + 1 for record in records]
        axes.plot(epochs, [record["valid_metrics"]["macro_f1"] for record in records], color=colour, label=result.title)
    axes.set_ylim(0, 1)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation macro-F1")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


@attrs.frozen(kw_only=True, eq=False)
class Example:
    """The utterance classified before the reader's eyes."""

    wav: Path
    transcript: str
    label: str
    predictions: tuple[Prediction, ...]


def write_report(path: Path, results: Sequence[DemoResult], example: Example) -> None:
    """Write the page.

    Raises:
        RunError: if the file cannot be written.
    """
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    gain, interval = gain_of_fusion(results)
    first = results[0]
    values: dict[str, Any] = {
        "results": results,
        "first": first.evaluation,
        "cues": [(cue, CUE_TITLES[cue]) for cue in CUES],
        "gain": gain,
        "gain_interval": interval,
        "example": example,
        "sound": base64.b64encode(example.wav.read_bytes()).decode(),
        "labels": first.run.spec.labels,
        "provenance": first.run.folder.read_json("provenance.json"),
        "num_test": first.evaluation.scores.num_utterances,
        "num_speakers": first.evaluation.macro_f1_interval.num_clusters,
        "scores_picture": _svg(_scores_figure(results)),
        "cue_picture": _svg(_cue_figure(results)),
        "curve_picture": _svg(_curve_figure(results)),
        "confusions": [_svg(confusion_figure(result.evaluation.scores, title=result.title)) for result in results],
    }
    write_atomically(path, environment.get_template("report.html.j2").render(values).encode())
