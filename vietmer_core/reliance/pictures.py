"""Pictures of what a model leans on. Each takes what `reliance.json` holds."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

METRIC: Final = "macro_f1"
BAR, CHANGED, REST = "#4477aa", "#cc6677", "#777777"
Entry = Mapping[str, Any]


def _of(document: Mapping[str, Any], *groups: str) -> list[Entry]:
    return [entry for entry in document["conditions"] if entry["group"] in groups and entry["name"] != "computed"]


def _ends(entry: Entry) -> tuple[float, float] | None:
    """The score of the unchanged utterances plus the interval of the difference."""
    interval = entry["intervals"][METRIC]
    if interval["low"] is None:
        return None
    base = entry["unchanged"][METRIC]
    return base + interval["low"], base + interval["high"]


def modality_figure(document: Mapping[str, Any]) -> Figure | None:
    """Macro-F1 unchanged, with one modality alone, and with one exchanged; None where neither was measured."""
    return _bars(document, _of(document, "removed", "shuffled"), title="one modality removed or exchanged")


def sound_figure(document: Mapping[str, Any]) -> Figure | None:
    """Macro-F1 through telephone codecs and gains, and without tone marks; None where none was measured."""
    return _bars(document, _of(document, "telephone", "gain", "marks"), title="telephone, gain and lost marks")


def _bars(document: Mapping[str, Any], entries: Sequence[Entry], *, title: str) -> Figure | None:
    if not entries:
        return None
    figure = Figure(figsize=(6.4, 1.3 + 0.36 * (len(entries) + 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(0, entries[0]["unchanged"][METRIC], color=BAR, height=0.62)
    for row, entry in enumerate(entries, start=1):
        axes.barh(row, entry["scores"][METRIC], color=CHANGED, height=0.62)
        ends = _ends(entry)
        if ends is not None:
            axes.plot(ends, [row, row], color="black", linewidth=1.4, marker="|")
    axes.axvline(entries[0]["unchanged"][METRIC], color=BAR, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(entries) + 1), ["unchanged", *(entry["title"] for entry in entries)])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("macro-F1, paired 95% interval")
    axes.set_title(f"{document['split']}: {title}", fontsize=10)
    return figure


def noise_figure(document: Mapping[str, Any]) -> Figure | None:
    """Macro-F1 against the ratio of signal to noise; None where no noise was added."""
    entries = sorted(_of(document, "noise"), key=lambda entry: -entry["level"])
    if not entries:
        return None
    figure, axes = _curve(document, entries, [entry["level"] for entry in entries])
    axes.invert_xaxis()
    is_colour = document["noise"] in ("white", "pink", "brown")
    axes.set_xlabel(f"signal to noise, dB ({document['noise'] if is_colour else 'recorded'} noise)")
    axes.set_title(f"{document['split']}: added noise", fontsize=10)
    return figure


def words_figure(document: Mapping[str, Any]) -> Figure | None:
    """Macro-F1 against the word error rate that was measured; None where no word went wrong."""
    entries = sorted(_of(document, "words"), key=lambda entry: float(entry["measured"]["wer"]))
    if not entries:
        return None
    figure, axes = _curve(document, entries, [100 * entry["measured"]["wer"] for entry in entries])
    axes.set_xlim(left=0)
    axes.set_xlabel("word error rate as measured, %")
    axes.set_title(f"{document['split']}: wrong words", fontsize=10)
    return figure


def _curve(document: Mapping[str, Any], entries: Sequence[Entry], places: Sequence[float]) -> tuple[Figure, Axes]:
    """Scores at places, with the paired intervals, the unchanged score, and the other modality alone as a floor."""
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(entries[0]["unchanged"][METRIC], color=BAR, linewidth=1.2, linestyle=":", label="unchanged")
    other = "text" if entries[0]["modality"] == "audio" else "audio"
    for entry in document["conditions"]:
        if entry["name"] == f"{other}-only":
            score = entry["scores"][METRIC]
            axes.axhline(score, color=REST, linewidth=1.2, linestyle="--", label=f"{other} only")
    axes.plot(places, [entry["scores"][METRIC] for entry in entries], color=CHANGED, marker="o", label="changed")
    for place, entry in zip(places, entries, strict=True):
        ends = _ends(entry)
        if ends is not None:
            axes.plot([place, place], ends, color=CHANGED, linewidth=1.2, marker="_")
    axes.set_ylim(0, 1)
    axes.set_ylabel("macro-F1, paired 95% interval")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure, axes


FIGURES: Final = {
    "reliance.png": modality_figure,
    "reliance-noise.png": noise_figure,
    "reliance-words.png": words_figure,
    "reliance-other.png": sound_figure,
}
"""By the name of the file that `vietmer reliance` writes."""
