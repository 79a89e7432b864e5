"""The figures of `reliance.json`: one modality alone, noise, wrong words, telephone and gain."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vietmer_core.reporting.drawing import BLUE, GREY, INK, ORANGE, Drawing, sheet
from vietmer_core.reporting.wording import shortened, three

METRIC: Final = "macro_f1"
Document = Mapping[str, Any]


def reliance_drawings(document: Document) -> list[Drawing]:
    """Each figure that something was measured for."""
    bars = (
        ("reliance", "one modality alone, or exchanged for that of another utterance", ("removed", "shuffled")),
        (
            "robustness-sound",
            "telephone codecs, gain, and marks lost from the transcript",
            ("telephone", "gain", "marks"),
        ),
    )
    found = [_bars(name, title, _of(document, *groups)) for name, title, groups in bars]
    noise = sorted(_of(document, "noise"), key=lambda entry: -float(entry["level"]))
    words = sorted(_of(document, "words"), key=lambda entry: float(entry["measured"]["wer"]))
    curves = [
        _curve(document, noise, name="robustness-noise", what="signal to noise, dB"),
        _curve(document, words, name="robustness-words", what="word error rate, %"),
    ]
    return [drawing for drawing in (found[0], *curves, found[1]) if drawing is not None]


def _of(document: Document, *groups: str) -> list[Document]:
    return [entry for entry in document["conditions"] if entry["group"] in groups and entry["name"] != "computed"]


def _ends(entry: Document) -> tuple[float, float] | None:
    """The score of the unchanged utterances plus the paired interval of the difference."""
    interval = entry["intervals"][METRIC]
    base = entry["unchanged"][METRIC]
    return None if interval["low"] is None else (base + interval["low"], base + interval["high"])


def _bars(name: str, title: str, entries: Sequence[Document]) -> Drawing | None:
    if not entries:
        return None
    base = entries[0]["unchanged"][METRIC]

    def draw() -> Figure:
        figure = sheet(0.5 + 0.2 * (len(entries) + 1))
        axes = figure.add_subplot()
        axes.barh(0, base, color=BLUE, height=0.62)
        for row, entry in enumerate(entries, start=1):
            score = entry["scores"][METRIC]
            axes.barh(row, score, color="#e69f00", edgecolor=INK, linewidth=0.5, hatch="////", height=0.62)
            _whisker(axes, entry, row)
        axes.axvline(base, color=BLUE, linewidth=0.9, linestyle=":")
        axes.set_yticks(range(len(entries) + 1), ["unchanged", *(shortened(entry["title"], 30) for entry in entries)])
        axes.invert_yaxis()
        axes.set(xlim=(0, 1), xlabel="macro-F1, paired interval by speaker")
        return figure

    return Drawing(
        name=name,
        caption=f"Macro-F1 with {title}, with the paired interval.",
        alt=f"Bars of macro-F1. Unchanged {three(base)}. "
        + " ".join(f"{entry['title']}: {three(entry['scores'][METRIC])}." for entry in entries),
        draw=draw,
    )


def _whisker(axes: Axes, entry: Document, row: int) -> None:
    ends = _ends(entry)
    if ends is not None:
        axes.plot(ends, [row, row], color=INK, linewidth=1.1, marker="|", markersize=5)


def _curve(document: Document, entries: Sequence[Document], *, name: str, what: str) -> Drawing | None:
    if not entries:
        return None
    is_noise = name.endswith("noise")
    places = [entry["level"] if is_noise else 100 * entry["measured"]["wer"] for entry in entries]
    other = "text" if entries[0]["modality"] == "audio" else "audio"
    alone = next((entry for entry in document["conditions"] if entry["name"] == f"{other}-only"), None)

    def draw() -> Figure:
        figure = sheet(2.1)
        axes = figure.add_subplot()
        axes.axhline(entries[0]["unchanged"][METRIC], color=BLUE, linestyle=":", label="unchanged")
        if alone is not None:
            axes.axhline(alone["scores"][METRIC], color=GREY, linestyle="--", label=f"{other} alone")
        axes.plot(places, [entry["scores"][METRIC] for entry in entries], color=ORANGE, marker="s", label="changed")
        for place, entry in zip(places, entries, strict=True):
            ends = _ends(entry)
            if ends is not None:
                axes.plot([place, place], ends, color=ORANGE, linewidth=1, marker="_")
        axes.set(ylim=(0, 1), xlabel=what, ylabel="macro-F1")
        if is_noise:
            axes.invert_xaxis()
        else:
            axes.set_xlim(left=0)
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        return figure

    change = f"added noise ({document['noise']})" if is_noise else "wrong words"
    told = "; ".join(
        f"{place:.0f}: {three(entry['scores'][METRIC])}" for place, entry in zip(places, entries, strict=True)
    )
    return Drawing(
        name=name,
        caption=f"Macro-F1 with {change}, with the paired interval.",
        alt=f"Line chart of macro-F1 by {what}. {told}. Unchanged {three(entries[0]['unchanged'][METRIC])}.",
        draw=draw,
    )
