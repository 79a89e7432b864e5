"""`vietmer search`: trials over fields of a spec, scored on the validation split alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.cli.choices import folder_only
from vietmer_core.cli.options import Overrides
from vietmer_core.errors import EXIT_INTERRUPTED, EXIT_RUN

if TYPE_CHECKING:
    from vietmer_core.ablation.search.folder import SearchFolder
    from vietmer_core.ablation.search.running import SearchRunner

DEFAULT_FOLDER: Final = Path("searches")
EXIT_CODES: Final = (
    "Leaves with 0 where every trial has ended and one has finished, with 5 where none has, where the folder holds "
    "another search, and where code or data changed meanwhile, with 2 or 3 where it or its data cannot be used, "
    "with 130 where it was stopped."
)


def search(
    file: Annotated[Path, typer.Argument(metavar="SEARCH", help="A search file, YAML or TOML.")],
    executor: Annotated[
        str | None, typer.Option(metavar="KIND", help="What runs the trials: a kind, or `{kind: …, FIELD: VALUE}`.")
    ] = None,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where searches are kept.", callback=folder_only)
    ] = DEFAULT_FOLDER,
    overrides: Overrides = [],  # noqa: B006  # typer reads it and never changes it
) -> None:
    """Run the trials of a search that are missing; the same command goes on after Ctrl-C or a kill."""
    from vietmer_core.ablation.search.folder import SearchFolder
    from vietmer_core.ablation.search.loading import load_search
    from vietmer_core.ablation.search.running import SearchRunner
    from vietmer_core.ablation.search.searching import build_searcher
    from vietmer_core.catalogue import installed_catalogue
    from vietmer_core.cli.matrix_file import check_file_of
    from vietmer_core.training.interrupts import Interrupts

    check_file_of("search", file)
    catalogue = installed_catalogue()
    read = load_search(file, overrides, catalogue=catalogue, executor=executor)
    read.check()
    searcher = build_searcher(read.spec.search, catalogue)
    folder = SearchFolder(to.absolute() / read.spec.name)
    lock = folder.claim()
    try:
        with Interrupts() as interrupts:
            runner = SearchRunner(
                read, folder, searcher=searcher, stops=lambda: interrupts.is_requested, say=typer.echo
            )
            runner.run()
    except KeyboardInterrupt:
        typer.echo("stopped at once; the same command goes on from there", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        lock.release()
    _report(runner, folder, wanted=read.spec.trials)


def _report(runner: "SearchRunner", folder: "SearchFolder", *, wanted: int) -> None:
    from vietmer_core.ablation.search.folder import BEST_FILE
    from vietmer_core.ablation.search.running import values_of

    states = [trial.state for trial in runner.trials()]
    counts = {state: states.count(state) for state in ("finished", "pruned", "failed")}
    ended = sum(counts.values())
    typer.echo(", ".join(f"{count} {state}" for state, count in counts.items()) + f" of {wanted} trials")
    best = runner.best()
    if best is not None:
        typer.echo(f"best: trial {best.number}: {values_of(best)}: {runner.monitor} {best.score:.4f} on valid")
        typer.echo(f"train it: vietmer train {folder.path / BEST_FILE}")
    if ended < wanted:
        typer.echo(f"stopped; {wanted - ended} trials are left; the same command goes on from there")
        raise typer.Exit(EXIT_INTERRUPTED)
    if best is None:
        typer.echo(f"no trial has finished; their folders: {folder.path}")
        raise typer.Exit(EXIT_RUN)
