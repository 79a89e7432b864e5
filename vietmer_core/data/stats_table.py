"""The tables of `vietmer data stats` in a terminal. Torch-free."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vietmer_core.data.stats import Distribution, SplitStatistics

MAX_ROWS: Final = 24
"""Classes shown one by one; the rest are one row."""
_BAR_WIDTH: Final = 24


def print_statistics(statistics: SplitStatistics, console: Console) -> None:
    """Print what a split holds."""
    names = ", ".join(statistics.files)
    console.print(f"[bold]{escape(names)}[/bold]: {statistics.num_utterances:,} utterances\n", soft_wrap=True)
    console.print(_distributions(statistics))
    console.print(_shares("Modalities", statistics.modalities, total=statistics.num_utterances))
    classes = dict(list(statistics.classes.items())[:MAX_ROWS])
    if len(statistics.classes) > MAX_ROWS:
        rest = list(statistics.classes.values())[MAX_ROWS:]
        classes[f"{len(rest):,} others together"] = sum(rest)
    if statistics.num_unlabelled:
        classes["(no label)"] = statistics.num_unlabelled
    console.print(_shares(f"Classes ({statistics.label_field})", classes, total=statistics.num_utterances))
    unknown = statistics.num_unknown_speaker
    if unknown:
        console.print(f"Utterances of an unknown speaker: {unknown:,}")


def _distributions(statistics: SplitStatistics) -> Table:
    table = Table(title="Sizes", title_justify="left", title_style="bold")
    table.add_column("")
    for name in ("count", "total", "min", "median", "mean", "95 %", "max"):
        table.add_column(name, justify="right")
    seconds = statistics.seconds
    table.add_row("audio, s", *_cells(seconds, total=f"{seconds.total / 3600:.2f} h", form=".2f"))
    words = statistics.words
    table.add_row("transcript, words", *_cells(words, total=f"{words.total:,.0f}", form=".1f"))
    speakers = statistics.utterances_per_speaker
    table.add_row("rows per speaker", *_cells(speakers, total=f"{speakers.total:,.0f}", form=".1f"))
    return table


def _cells(distribution: Distribution, *, total: str, form: str) -> list[str]:
    if not distribution.count:
        return ["0", *["–"] * 6]
    values = (distribution.min, distribution.median, distribution.mean, distribution.p95, distribution.max)
    return [f"{distribution.count:,}", total, *(f"{value:{form}}" for value in values)]


def _shares(title: str, counts: Mapping[str, int], *, total: int) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("", overflow="fold")
    table.add_column("utterances", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    largest = max(counts.values(), default=0)
    for name, count in counts.items():
        bar = "█" * round(_BAR_WIDTH * count / largest) if largest else ""
        table.add_row(escape(name), f"{count:,}", f"{count / total:.1%}", bar)
    return table
