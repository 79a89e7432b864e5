"""`vietmer ablation`: what a matrix found."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.cli.choices import check_name, folder_only
from vietmer_core.cli.options import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from vietmer_core.ablation_results.results import Results

EXIT_CODES: Final = (
    "Exit codes: 0 done, whatever the cells are; 2 the command line cannot be used; 5 the folder holds no matrix, a "
    "file of it is damaged, or a file cannot be written; 130 interrupted."
)
commands: Final = typer.Typer(help="What a matrix found.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """What a matrix found."""


@commands.command("table", epilog=EXIT_CODES)
def table(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of a matrix, as `ablate` printed it.")],
    metric: Annotated[str, typer.Option(help="The metric that is tested.")] = "macro_f1",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="OUT", help="Where the files go; `FOLDER/tables` by default.", callback=folder_only
        ),
    ] = None,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Draw nothing.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of draws and swaps.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print the table of a matrix, finished or not, and write it as CSV, Markdown, LaTeX, HTML and pictures."""
    from vietmer_core.ablation_results.results import results
    from vietmer_core.ablation_results.writing import TABLES, write_results
    from vietmer_core.evaluation.cluster_sums import METRICS

    check_name(metric, METRICS, option="--metric")
    found = results(folder, metric=metric, seed=seed)
    page = write_results(found, folder / TABLES if to is None else to, pictures=not no_pictures)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False)
    show_results(console, found)
    console.print(f"page: {page}", soft_wrap=True, markup=False)


def show_results(console: "Console", found: "Results") -> None:
    """Print the tables, what they tell, and the notes."""
    from vietmer_core.ablation_results.showing import narrow_tables
    from vietmer_core.ablation_results.wording import conclusions_of, notes_of, size_of
    from vietmer_core.cli.compare import print_table
    from vietmer_core.comparison.wording import speakers

    size = f"{found.num_utterances} utterances, {speakers(found.num_speakers)}"
    console.print(f"{found.matrix.split} split, {size}", markup=False, soft_wrap=True)
    for name, facts in (("split protocol", found.protocols), ("audit of leaks", found.audits)):
        console.print(f"{name}: {'; '.join(facts) or 'not stated'}", markup=False, soft_wrap=True)
    for made in narrow_tables(found, leaves_out=("its interval",)):
        print_table(console, made)
    console.print(f"{size_of(found)}.", markup=False, soft_wrap=True)
    for sentence in conclusions_of(found):
        console.print(sentence, markup=False, soft_wrap=True)
    for note in notes_of(found):
        console.print(f"note: {note}", markup=False, soft_wrap=True)


def show_matrix(console: "Console", folder: Path) -> None:
    """Print the table of a matrix that was run, and write its files beside it; what is wrong with it is told."""
    from vietmer_core.ablation_results.results import results
    from vietmer_core.ablation_results.writing import TABLES, write_results
    from vietmer_core.errors import VietmerError

    try:
        found = results(folder)
        if not found.scored:
            return
        show_results(console, found)
        page = write_results(found, folder / TABLES)
        console.print(f"page: {page}", soft_wrap=True, markup=False)
    except VietmerError as error:  # the cells stay as they are, and so does the exit code
        console.print(f"the table cannot be made: {error}", soft_wrap=True, markup=False)
