"""`vietmer compare`: whether runs can be told apart on the same utterances."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vietmer_core.cli.choices import check_name
from vietmer_core.cli.options import AsJson, Device, Uncalibrated

if TYPE_CHECKING:
    from rich.console import Console

    from vietmer_core.comparison.comparing_runs import RunComparison
    from vietmer_core.comparison.tables import TextTable

COMPARE_EXIT_CODES = (
    "Exit codes: 0 compared, whether or not a difference was found; 2 the command line cannot be used, for example "
    "since a run is given twice; 5 a run cannot be used or is not evaluated, or the runs tested different utterances "
    "or labels; 130 interrupted."
)


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Two or more run folders.")],
    split: Annotated[str, typer.Option(help="The split; `valid` chose the checkpoints.")] = "test",
    metric: Annotated[str, typer.Option(help="The metric that is tested.")] = "macro_f1",
    base: Annotated[
        str | None, typer.Option(metavar="RUN", help="Compare each with this one, instead of every pair.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Take each run by itself: group no seeds, join no folds.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Evaluate the runs that are not evaluated on the split yet.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of draws and swaps.")] = 0,
    device: Device = None,
    uncalibrated: Uncalibrated = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the pairs as CSV.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write both tables in Markdown.")] = None,
    latex: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write both tables in LaTeX.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs over the same utterances: differences with intervals, paired tests by speaker, plain words.

    Runs that differ in the seed alone are one system; runs on the folds of one protocol are joined.
    """
    from vietmer_core.comparison.comparing_runs import compare_runs
    from vietmer_core.evaluation.cluster_sums import METRICS
    from vietmer_core.training.run_folder import require_distinct

    check_name(metric, METRICS, option="--metric")
    check_name(split, ("test", "valid", "train"), option="--split")
    if len(runs) < 2:
        raise typer.BadParameter("give at least two runs to compare.")
    if uncalibrated and not evaluate:
        said = "needs `--evaluate`: scores that are there are not computed anew."
        raise typer.BadParameter(said, param_hint="--uncalibrated")
    require_distinct(runs)
    if evaluate:
        _evaluate_missing(runs, split=split, device=device, uncalibrated=uncalibrated)
    found = compare_runs(runs, split=split, base=base, metric=metric, grouped=not each, seed=seed)
    written = _write(found, csv=csv, markdown=markdown, latex=latex)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False)
    show_comparison(console, found)
    if written:
        console.print(f"files: {', '.join(map(str, written))}", soft_wrap=True, markup=False)


def _evaluate_missing(runs: list[Path], *, split: str, device: str | None, uncalibrated: bool) -> None:
    from vietmer_core.comparison.tested_runs import is_evaluated

    missing = [path for path in runs if not is_evaluated(path, split)]
    if not missing:
        return
    from rich.console import Console

    from vietmer_core.cli.progress import utterance_bar
    from vietmer_core.inference.evaluating import audit_of_run, evaluate_run
    from vietmer_core.inference.trained_run import TrainedRun

    for path in missing:
        run = TrainedRun.load(path, device=device, uncalibrated=uncalibrated)
        with utterance_bar(Console(stderr=True), f"{path.name}: {split} split") as bar:
            evaluate_run(run, split, on_batch=bar.advance, audit=audit_of_run(run))


def _write(found: "RunComparison", *, csv: Path | None, markdown: Path | None, latex: Path | None) -> list[Path]:
    from vietmer_core.comparison.showing import csv_rows, pairs_table, systems_table
    from vietmer_core.comparison.tables import as_csv, as_latex, as_markdown
    from vietmer_core.files import write_atomically

    tables = (systems_table(found.comparison), pairs_table(found.comparison))
    files = (
        (csv, as_csv(csv_rows(found.comparison))),
        (markdown, "\n".join(map(as_markdown, tables))),
        (latex, "\n".join(map(as_latex, tables))),
    )
    for path, text in files:
        if path is not None:
            write_atomically(path, text.encode())
    return [path for path, _ in files if path is not None]


def show_comparison(console: "Console", found: "RunComparison") -> None:
    """Print what was compared, both tables, the conclusions and the notes."""
    import attrs

    from vietmer_core.comparison.showing import DECIDING, EFFECTS, pairs_table, systems_table
    from vietmer_core.comparison.wording import speakers
    from vietmer_core.evaluation.cluster_sums import SHARES

    comparison = found.comparison
    size = f"{comparison.num_utterances} utterances, {speakers(comparison.num_speakers)}"
    console.print(f"{found.split} split, {size}", markup=False)
    shown: list[tuple[str, Mapping[str, str | None]]] = [
        ("split protocol", found.protocols),
        ("audit of leaks", found.audits),
    ]
    if comparison.metric not in SHARES:
        shown.append(("probabilities", found.probabilities))
    for name, facts in shown:
        console.print(f"{name}: {_stated(facts)}", markup=False, soft_wrap=True)
    print_table(console, systems_table(comparison))
    pairs = pairs_table(comparison)  # in two, so that they fit into a terminal
    print_table(console, pairs.without(EFFECTS))
    effects = pairs.without(DECIDING)
    print_table(console, attrs.evolve(effects, title="other tests and effect sizes"))
    for sentence in found.conclusions:
        console.print(sentence, markup=False, soft_wrap=True)
    for note in found.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)


def _stated(facts: Mapping[str, str | None]) -> str:
    """A fact of each system; once where all share it."""
    values = {name: value or "not stated" for name, value in facts.items()}
    if len(set(values.values())) == 1:
        return str(next(iter(values.values())))
    return "; ".join(f"{name}: {value}" for name, value in values.items())


def print_table(console: "Console", table: "TextTable") -> None:
    """Print a table below its title."""
    from rich.table import Table
    from rich.text import Text

    console.print(Text(f"\n{table.title}", style="italic"), soft_wrap=True)
    shown = Table()
    for index, column in enumerate(table.columns):
        left = index < table.num_left
        shown.add_column(Text(column), justify="left" if left else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    console.print(shown)
