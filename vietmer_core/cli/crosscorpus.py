"""`vietmer crosscorpus`: train on each corpus, test on each."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vietmer_core.cli.options import AsJson, Overrides, SpecFiles
from vietmer_core.errors import EXIT_FOUND, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

    from vietmer_core.crosscorpus.cells import Cell, FailedCell
    from vietmer_core.crosscorpus.entries import Entry
    from vietmer_core.crosscorpus.running import Matrix

CROSSCORPUS_EXIT_CODES: Final = (
    "Exit codes: 0 every cell is there; 1 cells failed, with their reasons; 2 the command line, the spec or the label "
    "map cannot be used; 5 the folder cannot be written; 130 interrupted: the same command goes on."
)


def crosscorpus(
    specs: SpecFiles,
    corpora: Annotated[
        list[str],
        typer.Option(
            "--corpus",
            metavar="NAME=FOLDER",
            help="A folder with train, valid and test.jsonl; NAME:CORPUS=FOLDER where the map names it otherwise.",
        ),
    ],
    label_map: Annotated[str, typer.Option("--map", metavar="NAME", help="Label map, such as mer5.")],
    seeds: Annotated[str | None, typer.Option(help="Seeds, separated by commas; the spec's own by default.")] = None,
    overrides: Overrides = [],  # noqa: B006  # typer reads it and never changes it
    folder: Annotated[
        Path, typer.Option("--output", metavar="FOLDER", help="Where models, cells and tables go, and are found again.")
    ] = Path("crosscorpus"),
    audits: Annotated[
        bool, typer.Option("--audit/--no-audit", help="Search each pair of training and test for leaks.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Train a spec on each corpus and test it on each, through a label map; what is there is not computed again."""
    from rich.console import Console

    from vietmer_core.catalogue import installed_catalogue
    from vietmer_core.cli.progress import TrainingDisplay
    from vietmer_core.crosscorpus.corpora import read_corpora
    from vietmer_core.crosscorpus.running import Matrix
    from vietmer_core.crosscorpus.specs import Recipe
    from vietmer_core.label_maps.named import named_label_map

    numbers = _read_seeds(seeds)
    named = named_label_map(label_map)
    console = Console(stderr=True)
    matrix = Matrix(
        recipe=Recipe(specs=tuple(specs), overrides=tuple(overrides), space=named.labels, label_map=str(named)),
        corpora=read_corpora(corpora, label_map=named),
        seeds=numbers,
        folder=folder,
        catalogue=installed_catalogue(),
        observers=lambda: [TrainingDisplay(console)],
        say=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
        audits=audits,
    )
    _finish(matrix, _run(matrix), as_json=as_json)


def _read_seeds(text: str | None) -> list[int | None]:
    if text is None:
        return [None]
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"must be numbers from 0, separated by commas, but is `{text}`.", param_hint="--seeds")
    if len(set(map(int, parts))) < len(parts):
        raise typer.BadParameter(f"must be distinct, but is `{text}`.", param_hint="--seeds")
    return [int(part) for part in parts]


def _run(matrix: "Matrix") -> "list[Cell | FailedCell]":
    from vietmer_core.crosscorpus.cells import FailedCell
    from vietmer_core.crosscorpus.running import run_matrix

    found = []
    try:
        for cell in run_matrix(matrix):
            found.append(cell)
            if isinstance(cell, FailedCell):
                place = f"{cell.place.train} → {cell.place.test}, seed {cell.place.seed}"
                matrix.say(f"{place}: failed: {cell.reason}")
    except KeyboardInterrupt:
        typer.echo("interrupted; what is there is kept; the same command goes on from there", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    return found


def _finish(matrix: "Matrix", cells: "Sequence[Cell | FailedCell]", *, as_json: bool) -> None:
    from rich.console import Console

    from vietmer_core.crosscorpus.entries import entries_of, notes_of

    names = [corpus.name for corpus in matrix.corpora]
    entries = entries_of(cells, names=names)
    notes = list(notes_of(entries, space=matrix.recipe.space))
    report = {
        "version": 1,
        "label_map": matrix.recipe.label_map,
        "labels": list(matrix.recipe.space),
        "corpora": {corpus.name: {"mapped_as": corpus.mapped_as} for corpus in matrix.corpora},
        "entries": [entry.as_json() for entry in entries],
        "notes": notes,
    }
    written = _write(matrix, entries, report)
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        _show(console, entries, names=names, label_map=matrix.recipe.label_map)
        for note in notes:
            console.print(f"note: {note}", markup=False, soft_wrap=True)
        console.print(f"files: {', '.join(map(str, written))}", markup=False, soft_wrap=True)
    if any(entry.failures for entry in entries):
        raise typer.Exit(EXIT_FOUND)


def _write(matrix: "Matrix", entries: "Sequence[Entry]", report: dict[str, Any]) -> list[Path]:
    from vietmer_core.comparison.tables import as_csv, as_latex, as_markdown
    from vietmer_core.crosscorpus.entries import METRICS
    from vietmer_core.crosscorpus.picture import draw_matrix
    from vietmer_core.crosscorpus.showing import csv_rows, entries_table, matrix_table
    from vietmer_core.files import write_atomically

    names = [corpus.name for corpus in matrix.corpora]
    tables = [*(matrix_table(entries, names=names, metric=metric) for metric in METRICS), entries_table(entries)]
    texts = {
        "matrix.json": json.dumps(report, ensure_ascii=False, indent=2) + "\n",
        "matrix.csv": as_csv(csv_rows(entries)),
        "matrix.md": "\n".join(map(as_markdown, tables)),
        "matrix.tex": "\n".join(map(as_latex, tables)),
    }
    for name, text in texts.items():
        write_atomically(matrix.folder / name, text.encode())
    for metric in METRICS:
        path = matrix.folder / f"{metric}.png"
        title = f"{metric}, label map {matrix.recipe.label_map.replace('`', '')}"
        draw_matrix(entries, path, names=names, metric=metric, title=title)
    return [matrix.folder / name for name in (*texts, *(f"{metric}.png" for metric in METRICS))]


def _show(console: "Console", entries: "Sequence[Entry]", *, names: list[str], label_map: str) -> None:
    from vietmer_core.cli.compare import print_table
    from vietmer_core.crosscorpus.entries import METRICS
    from vietmer_core.crosscorpus.showing import entries_table, matrix_table

    console.print(f"label map {label_map}", markup=False)
    protocols = {entry.test: entry.protocol or "not stated" for entry in entries if entry.scores is not None}
    for name, protocol in protocols.items():
        console.print(f"split protocol of {name}: {protocol}", markup=False, soft_wrap=True)
    for metric in METRICS:
        print_table(console, matrix_table(entries, names=names, metric=metric))
    print_table(console, entries_table(entries).without(METRICS))
