"""`vietmer leaderboard`: results of many runs, ranked where they can be compared."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.cli.choices import folder_only
from vietmer_core.cli.options import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from vietmer_core.leaderboard.boards import Leaderboard

EXIT_CODES: Final = (
    "Exit codes: 0 done, also where some results cannot be used, which are named; 2 the command line cannot be used; 5 "
    "there is no such folder, or a file cannot be written; 130 interrupted."
)
commands: Final = typer.Typer(help="Results of many runs, ranked where they can be compared.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Results of many runs, ranked where they can be compared."""


@commands.command("build", epilog=EXIT_CODES)
def build(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Holds run folders and matrices, at any depth.", callback=folder_only),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="OUT", help="Where the files go; `FOLDER/leaderboard` by default.", callback=folder_only
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Leaderboard",
    seed: Annotated[int, typer.Option(min=0, help="Seed of swaps.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Rank the evaluated runs below a folder; what was tested differently never shares a table."""
    from vietmer_core.leaderboard.boards import build_leaderboard
    from vietmer_core.leaderboard.writing import write_leaderboard

    found = build_leaderboard(folder, seed=seed)
    page = write_leaderboard(found, folder / "leaderboard" if to is None else to, title=title)
    if as_json:
        typer.echo(json.dumps({"title": title, **found.as_json()}, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False)
    show_leaderboard(console, found)
    console.print(f"page: {page}", soft_wrap=True, markup=False)


def show_leaderboard(console: "Console", found: "Leaderboard") -> None:
    """Print every table, and what could not be used."""
    from vietmer_core.cli.compare import print_table
    from vietmer_core.leaderboard.showing import board_table, facts_of

    for board in found.boards:
        print_table(console, board_table(board).without(("balanced accuracy", "accuracy", "runs", "model")))
        for name, value in facts_of(board):
            console.print(f"{name}: {value}", soft_wrap=True, markup=False)
        for note in board.notes:
            console.print(f"note: {note}", soft_wrap=True, markup=False)
    lines = sum(len(board.lines) for board in found.boards)
    console.print(f"{lines} entries in {len(found.boards)} tables; {len(found.faults)} results are not listed")
    if not lines and not found.faults:
        console.print("no run there is evaluated: `vietmer evaluate RUN` scores one.", soft_wrap=True, markup=False)
    for fault in found.faults:
        console.print(f"not listed: {fault}", soft_wrap=True, markup=False)
