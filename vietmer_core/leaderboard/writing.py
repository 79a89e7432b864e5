"""The files of a leaderboard: a page, Markdown and JSON. The same results give the same bytes. Torch-free."""

import json
from pathlib import Path
from typing import Any, Final

from vietmer_core.files import write_atomically
from vietmer_core.leaderboard.boards import Board, Leaderboard
from vietmer_core.leaderboard.finding import printable
from vietmer_core.leaderboard.showing import board_table, facts_of, heading_of, markdown
from vietmer_core.pages.rendering import rendered

TEMPLATE: Final = Path(__file__).parent / "page.html.j2"
FILES: Final = ("index.html", "leaderboard.md", "leaderboard.json")


def write_leaderboard(found: Leaderboard, folder: Path, *, title: str) -> Path:
    """Write the three files; the path of the page.

    Raises:
        RunError: if one cannot be written.
    """
    texts = (
        page_html(found, title=title),
        markdown(found, title=title),
        json.dumps({"title": title, **found.as_json()}, ensure_ascii=False, indent=1) + "\n",
    )
    for name, text in zip(FILES, texts, strict=True):
        write_atomically(folder / name, text.encode())
    return folder / FILES[0]


def page_html(found: Leaderboard, *, title: str) -> str:
    """The whole page. It loads nothing: its policy forbids it."""
    boards = [_board_values(board) for board in found.boards]
    return rendered(TEMPLATE, {"title": printable(title), "boards": boards, "faults": found.faults})


def _board_values(board: Board) -> dict[str, Any]:
    table = board_table(board)
    marks = ["mark" if line.mark in ("first", "not distinguishable") else "" for line in board.lines]
    return {
        "heading": heading_of(board.key),
        "facts": list(facts_of(board)),
        "notes": board.notes,
        "table": table,
        "rows": list(zip(table.rows, marks, strict=True)),
    }
