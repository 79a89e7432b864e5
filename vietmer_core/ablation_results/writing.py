"""The files of the results: tables for people, for papers and for programs, pictures, and the page."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vietmer_core.ablation_results.documents import as_json, cell_rows, effect_rows, group_rows, level_rows
from vietmer_core.ablation_results.figure_files import FORMATS, figure_bytes
from vietmer_core.ablation_results.page import PagePicture, page_html
from vietmer_core.ablation_results.pictures import figures_of
from vietmer_core.ablation_results.showing import narrow_tables, tables_of
from vietmer_core.ablation_results.wording import conclusions_of, notes_of, size_of
from vietmer_core.comparison.tables import as_csv, as_latex, as_markdown
from vietmer_core.files import write_atomically

if TYPE_CHECKING:
    from vietmer_core.ablation_results.results import Results

TABLES: Final = "tables"
"""The folder in that of a matrix."""
PAGE: Final = "index.html"


def write_results(
    results: "Results", folder: Path, *, pictures: bool = True, on_file: Callable[[Path], None] = lambda _: None
) -> Path:
    """Write every file; the path of the page.

    Args:
        results: Of a matrix.
        folder: Where to; it is made.
        pictures: Whether to draw.
        on_file: Called with each file.

    Raises:
        RunError: if a file cannot be written.
    """
    drawn: list[PagePicture] = []
    for name, text in _texts(results):
        _write(folder / name, text.encode(), on_file)
    for name, caption, figure in figures_of(results) if pictures else ():
        for kind in FORMATS:
            content = figure_bytes(figure, kind)
            _write(folder / f"{name}.{kind}", content, on_file)
            if kind == "svg":
                drawn.append(PagePicture(name=name, caption=caption, svg=content))
    _write(folder / PAGE, page_html(results, drawn).encode(), on_file)
    return folder / PAGE


def _write(path: Path, content: bytes, on_file: Callable[[Path], None]) -> None:
    write_atomically(path, content)
    on_file(path)


def _texts(results: "Results") -> Iterator[tuple[str, str]]:
    """The names and contents of the text files."""
    rows = {
        "groups": group_rows(results),
        "cells": cell_rows(results),
        "effects": effect_rows(results),
        "levels": level_rows(results),
    }
    for name, found in rows.items():
        if found:
            yield f"{name}.csv", as_csv(found)
    yield "results.json", json.dumps(as_json(results), ensure_ascii=False, indent=1) + "\n"
    yield "results.md", markdown(results)
    yield "results.tex", "\n".join(as_latex(table) for table in narrow_tables(results))


def markdown(results: "Results") -> str:
    """What a matrix tells, in Markdown."""
    told = [f"- {sentence}" for sentence in conclusions_of(results)]
    notes = [f"- {sentence}" for sentence in notes_of(results)]
    parts = [f"# {results.matrix.name}", f"{size_of(results)}.", "\n".join(told)]
    parts += ["\n".join(["Notes:", "", *notes])] if notes else []
    return "\n\n".join([*parts, *(as_markdown(table) for table in tables_of(results))])
