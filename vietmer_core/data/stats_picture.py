"""The picture of `vietmer data stats`: durations, classes, speakers and words of a split. Torch-free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vietmer_core.data.stats import Distribution, SplitStatistics
from vietmer_core.errors import DataError

MAX_BARS: Final = 24
"""Classes or speakers drawn; the rest are counted under the axis."""
_MIN_SLOTS: Final = 6
MAX_LABEL_LENGTH: Final = 28
_WIDTH: Final = 12.0
_MIN_ROW_HEIGHT: Final = 3.4
_BAR_HEIGHT: Final = 0.24
_BLUE: Final = "#3b6ea5"
_GREY: Final = "#8a8f98"


def draw_statistics(statistics: SplitStatistics, path: Path) -> None:
    """Write the picture; its form follows the file name (`.png`, `.svg`, `.pdf`).

    Raises:
        DataError: where the file cannot be written or its form is not known.
    """
    num_bars = max(_num_bars(statistics.classes), _num_bars(statistics.speakers))
    heights = (_MIN_ROW_HEIGHT, max(_MIN_ROW_HEIGHT, _BAR_HEIGHT * num_bars + 1))
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, height_ratios=heights)
    durations, words = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    classes, speakers = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    figure.suptitle(_headline(statistics))
    hours = statistics.seconds.total / 3600
    _draw_histogram(durations, statistics.seconds, title=f"Durations: {hours:.2f} h", axis="seconds")
    _draw_histogram(words, statistics.words, title=f"Words: {statistics.words.total:,.0f}", axis="words per transcript")
    unlabelled = f", {statistics.num_unlabelled:,} rows without" if statistics.num_unlabelled else ""
    unknown = f", {statistics.num_unknown_speaker:,} rows unknown" if statistics.num_unknown_speaker else ""
    _draw_bars(classes, statistics.classes, title=f"Classes: {len(statistics.classes):,}{unlabelled}")
    _draw_bars(speakers, statistics.speakers, title=f"Speakers: {len(statistics.speakers):,}{unknown}")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"the picture `{path}` cannot be written: {reason}.") from None


def _headline(statistics: SplitStatistics) -> str:
    names = ", ".join(Path(name).name for name in statistics.files[:3])
    more = f" and {len(statistics.files) - 3} more" if len(statistics.files) > 3 else ""
    return f"{names}{more}: {statistics.num_utterances:,} utterances".replace("$", r"\$")


def _num_bars(counts: Mapping[str, int]) -> int:
    return min(len(counts), MAX_BARS)


def _say_nothing(axes: Axes, *, title: str) -> None:
    axes.set_title(title)
    axes.text(0.5, 0.5, "none", ha="center", va="center", color=_GREY, transform=axes.transAxes)
    axes.set_axis_off()


def _draw_histogram(axes: Axes, distribution: Distribution, *, title: str, axis: str) -> None:
    if not distribution.count:
        _say_nothing(axes, title=title)
        return
    axes.stairs(distribution.counts, distribution.edges, fill=True, color=_BLUE)
    marks = (("median", distribution.median, "-"), ("95 %", distribution.p95, "--"))
    for name, value, style in marks:
        axes.axvline(value, color="black", linestyle=style, linewidth=1, label=f"{name}: {value:.3g}")
    axes.set(title=title, xlabel=axis, ylabel="utterances", xlim=(0, None))
    axes.legend(frameon=False)


def _draw_bars(axes: Axes, counts: Mapping[str, int], *, title: str) -> None:
    if not counts:
        _say_nothing(axes, title=title)
        return
    names, values = list(counts)[:MAX_BARS], list(counts.values())[:MAX_BARS]
    rest = list(counts.values())[MAX_BARS:]
    positions = range(len(names))
    bars = axes.barh(positions, values, color=_BLUE)
    axes.set_yticks(positions, [_shorten(name) for name in names], parse_math=False)
    axes.bar_label(bars, [f"{value:,}" for value in values], padding=3, fontsize="small")
    axes.set_ylim(max(len(names), _MIN_SLOTS) - 0.4, -0.6)
    axes.margins(x=0.12)
    not_shown = f" ({len(rest):,} others with {sum(rest):,} together are not shown)" if rest else ""
    axes.set(title=title, xlabel=f"utterances{not_shown}")


def _shorten(name: str) -> str:
    plain = "".join(character if character.isprintable() else " " for character in name)
    return plain if len(plain) <= MAX_LABEL_LENGTH else f"{plain[: MAX_LABEL_LENGTH - 1]}…"
