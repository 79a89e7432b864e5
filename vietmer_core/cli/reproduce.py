"""`vietmer reproduce`: a run again, from its folder alone, and whether it is the same."""

from contextlib import closing

import typer

from vietmer_core.cli.options import DEFAULT_RUNS, RunPath, RunsRoot
from vietmer_core.errors import EXIT_FOUND
from vietmer_core.ranks import is_main_process


def reproduce(run: RunPath, runs: RunsRoot = DEFAULT_RUNS) -> None:
    """Train a run again from its folder alone, and compare weights and metrics to the last bit.

    Leaves with 0 where all is equal, with 1 where anything differs.
    """
    from rich.console import Console

    from vietmer_core.cli.progress import TrainingDisplay
    from vietmer_core.training import reproducing

    display = TrainingDisplay(Console(stderr=True))
    with closing(display):
        found = reproducing.reproduce(run, root=runs, observers=[display])
    if is_main_process():
        for condition in found.conditions:
            typer.echo(f"otherwise here: {condition}")
        for difference in found.differences:
            typer.echo(f"differs: {difference}")
        if not found.differences:
            typer.echo(f"identical to the bit: {found.num_tensors} tensors, {found.num_records} records")
        typer.echo(f"run folder: {found.repeated.path}")
    if found.differences:
        raise typer.Exit(EXIT_FOUND)
