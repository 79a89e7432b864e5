"""Leaderboards as tables of text and in Markdown. Torch-free."""

import html
from collections.abc import Iterator

from vietmer_core.comparison.tables import TextTable, as_markdown
from vietmer_core.comparison.wording import p_text, speakers
from vietmer_core.leaderboard.boards import Board, Leaderboard, Placed
from vietmer_core.leaderboard.entries import BoardKey, Entry
from vietmer_core.leaderboard.finding import printable

NONE = "–"
HEADINGS = {
    "audited": "audited, no leak found",
    "no protocol": "NO PROTOCOL",
    "not audited": "NOT AUDITED",
    "leak": "LEAK FOUND",
}
_SPECIAL = frozenset("\\`*_[]!#|~")


def heading_of(key: BoardKey) -> str:
    """`test split, audited, no leak found`."""
    return f"{key.split} split, {HEADINGS[key.standing]}"


def facts_of(board: Board) -> Iterator[tuple[str, str]]:
    """What was tested, and how the corpus was split."""
    key = board.key
    size = f"{board.num_utterances} utterances"
    yield "tested", size if board.num_speakers is None else f"{size}, {speakers(board.num_speakers)}"
    yield "split protocol", key.protocol or "not stated"
    yield "labels", ", ".join(f"{label} ({number})" for label, number in zip(key.labels, key.classes, strict=True))
    yield "fingerprint", ", ".join(data[:16] for data in key.data)


def board_table(board: Board) -> TextTable:
    """The lines of a table."""
    return TextTable(
        title=heading_of(board.key),
        columns=(
            "rank",
            "system",
            "model",
            "macro-F1",
            "95% interval",
            "against the first",
            "p",
            "balanced accuracy",
            "accuracy",
            "seeds",
            "runs",
        ),
        rows=tuple(_row(line) for line in board.lines),
        num_left=3,
    )


def _row(line: Placed) -> tuple[str, ...]:
    entry = line.entry
    others = len(entry.runs) - 1
    return (
        str(line.rank),
        entry.name,
        entry.model,
        _mean(entry, "macro_f1"),
        NONE if entry.interval is None else f"{entry.interval[0]:.3f} to {entry.interval[1]:.3f}",
        line.mark or NONE,
        NONE if line.p is None else p_text(line.p),
        _mean(entry, "balanced_accuracy"),
        _mean(entry, "accuracy"),
        ", ".join(map(str, entry.seeds)),
        f"{entry.runs[0]} and {others} more" if others else entry.runs[0],
    )


def _mean(entry: Entry, metric: str) -> str:
    deviation = entry.deviations[metric]
    mean = f"{entry.scores[metric]:.3f}"
    return mean if deviation is None else f"{mean} ± {deviation:.3f}"


def markdown(found: Leaderboard, *, title: str) -> str:
    """All tables, one below the other."""
    parts = [f"# {escaped(printable(title))}"]
    if not found.boards:
        parts.append("No result was found.")
    for board in found.boards:
        table = board_table(board)
        cells = tuple(tuple(escaped(cell) for cell in row) for row in table.rows)
        facts = [f"- {name}: {escaped(value)}" for name, value in facts_of(board)]
        notes = [f"**{escaped(note)}**" for note in board.notes]
        lines = as_markdown(TextTable(title="", columns=table.columns, rows=cells, num_left=table.num_left)).strip()
        parts += [f"## {table.title}", "\n".join(facts), *notes, lines]
    if found.faults:
        parts += ["## Not listed", "\n".join(f"- {escaped(fault)}" for fault in found.faults)]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown, and the HTML in it, shows as it is.

    A bar is left to `as_markdown` in tables; elsewhere it means nothing.
    """
    shown = "".join(f"\\{letter}" if letter in _SPECIAL and letter != "|" else letter for letter in text)
    return html.escape(shown, quote=False)
