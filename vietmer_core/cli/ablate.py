"""`vietmer ablate`: a matrix of experiments, each cell once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.cli.choices import folder_only
from vietmer_core.cli.options import Overrides
from vietmer_core.errors import EXIT_INTERRUPTED, EXIT_RUN

if TYPE_CHECKING:
    from rich.console import Console

    from vietmer_core.ablation.cell import Cell
    from vietmer_core.ablation.executor import Executor
    from vietmer_core.ablation.matrix import Matrix
    from vietmer_core.ablation.planning import Plan
    from vietmer_core.ablation.running import Board, Summary

DEFAULT_FOLDER: Final = Path("ablations")
EXIT_CODES: Final = (
    "Leaves with 0 where every chosen cell has finished, with 5 where one has failed, with 2 or 3 where the matrix or "
    "its data cannot be used, with 130 where it was stopped."
)


def ablate(
    matrix: Annotated[Path, typer.Argument(metavar="MATRIX", help="A matrix file, YAML or TOML.")],
    only: Annotated[
        list[str],
        typer.Option("--only", metavar="AXIS=LEVEL,…", help="Only cells of these levels; may be repeated."),
    ] = [],  # noqa: B006  # typer reads it and never changes it
    group: Annotated[
        list[str], typer.Option("--group", metavar="NAME", help="Only the cells of a named group; may be repeated.")
    ] = [],  # noqa: B006  # as above
    jobs: Annotated[int | None, typer.Option("--jobs", metavar="N", min=1, help="Cells at a time.")] = None,
    executor: Annotated[
        str | None, typer.Option(metavar="KIND", help="What runs the cells: a kind, or `{kind: …, FIELD: VALUE}`.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run cells again that failed.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Print what would be run, and run nothing.")] = False,
    probe: Annotated[bool, typer.Option("--probe", help="Time a few steps of each kind of cell for the plan.")] = False,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where matrices are kept.", callback=folder_only)
    ] = DEFAULT_FOLDER,
    overrides: Overrides = [],  # noqa: B006  # as above
    no_audit: Annotated[
        bool, typer.Option("--no-audit", help="Leave out the search for leaks between splits.")
    ] = False,
    no_table: Annotated[
        bool, typer.Option("--no-table", help="Leave out the table at the end; `vietmer ablation table` makes it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take a matrix of more than 1,000 cells.")] = False,
) -> None:
    """Run every cell of a matrix that has not finished; the same command goes on after Ctrl-C or a kill."""
    from rich.console import Console

    from vietmer_core.ablation.building import build_executor
    from vietmer_core.ablation.matrix import load_matrix
    from vietmer_core.ablation.planning import run_probes
    from vietmer_core.catalogue import installed_catalogue
    from vietmer_core.cli.matrix_file import check_file_of

    check_file_of("matrix", matrix)
    catalogue, console = installed_catalogue(), Console(stderr=True)
    read = load_matrix(matrix, overrides, catalogue=catalogue, executor=executor, jobs=jobs)
    made = _plan(read, only=only, group=group, to=to, allow_many=yes)
    if not plan and retry:
        _retry(made.board)
    runner = build_executor(read.spec.executor, catalogue)
    if probe:
        with _shown(console, made.board, name=read.spec.name) as say:
            for line in run_probes(made.board, made.chosen, runner):
                say(line)
        made = _plan(read, only=only, group=group, to=to, allow_many=yes)
    from vietmer_core.cli.ablation_view import show_plan

    show_plan(Console() if plan else console, made)
    if not plan:
        _run(read, made, runner, console=console, audits=not no_audit, has_table=not no_table)


def _plan(matrix: "Matrix", *, only: Sequence[str], group: Sequence[str], to: Path, allow_many: bool) -> "Plan":
    from vietmer_core.ablation.caches import shared_caches
    from vietmer_core.ablation.expansion import expand
    from vietmer_core.ablation.matrix_folder import MatrixFolder
    from vietmer_core.ablation.planning import Plan, known_seconds
    from vietmer_core.ablation.running import Board
    from vietmer_core.ablation.selection import chosen_cells
    from vietmer_core.catalogue import installed_catalogue

    catalogue = installed_catalogue()
    expansion = expand(matrix, catalogue=catalogue, allow_many=allow_many)
    chosen = chosen_cells(matrix.spec, expansion.cells, only=only, groups=group)
    board = Board(chosen, MatrixFolder(to.absolute() / matrix.spec.name))
    return Plan(
        cells=expansion.cells,
        chosen=chosen,
        num_excluded=expansion.num_excluded,
        board=board,
        caches=shared_caches(chosen, catalogue),
        seconds=known_seconds(board, chosen),
    )


def _retry(board: "Board") -> None:
    from vietmer_core.ablation.running import retry_failed

    retry_failed(board)


def _run(
    matrix: "Matrix", plan: "Plan", executor: "Executor", *, console: "Console", audits: bool, has_table: bool
) -> None:
    from vietmer_core.ablation.auditing import audited
    from vietmer_core.ablation.running import MatrixRunner
    from vietmer_core.training.interrupts import Interrupts

    board = plan.board
    board.folder.write_matrix(matrix, plan.cells)
    try:
        with _shown(console, board, name=matrix.spec.name) as say, Interrupts() as interrupts:
            pending = board.named("pending")
            for cell, audit in audited(pending, board, is_wanted=audits, say=say):
                board.folder.write_cell(cell, audit=audit)
            runner = MatrixRunner(board, executor=executor, stops=lambda: interrupts.is_requested, say=say)
            runner.prepare(plan.caches)
            summary = runner.run()
    except KeyboardInterrupt:
        typer.echo("stopped at once; the same command goes on from there", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if has_table and not summary.is_stopped:
        _show_table(board)
    _report(board, summary)


def _show_table(board: "Board") -> None:
    from rich.console import Console

    from vietmer_core.cli.ablation import show_matrix

    show_matrix(Console(highlight=False), board.folder.path)


@contextmanager
def _shown(console: "Console", board: "Board", *, name: str) -> Iterator[Callable[[str], None]]:
    """The cells in a terminal while they run; elsewhere only what is said of them."""
    from rich.live import Live

    from vietmer_core.cli.ablation_view import AblationView

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    if not console.is_terminal:
        yield say
        return
    with Live(AblationView(board, name=name), console=console, refresh_per_second=2, transient=True):
        yield say


def _report(board: "Board", summary: "Summary") -> None:
    total = summary.finished + summary.failed + summary.left
    typer.echo(f"finished: {summary.finished} of {total} cells, {summary.failed} failed; {summary.ran} ended now")
    failed = board.named("failed")
    _list_failures(board, failed)
    typer.echo(f"folder: {board.folder.path}")
    if summary.is_stopped:
        typer.echo(f"stopped; {summary.left} cells are left; the same command goes on from there")
        raise typer.Exit(EXIT_INTERRUPTED)
    if failed:
        typer.echo("run the failed cells again: the same command with `--retry`")
        raise typer.Exit(EXIT_RUN)


def _list_failures(board: "Board", failed: "Sequence[Cell]") -> None:
    for cell in failed:
        log = board.folder.cell(cell).log_path
        typer.echo(f"  {cell.title}: {board.outcomes[cell.name]['reason']} Its log: {log}")
