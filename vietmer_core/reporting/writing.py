"""Writing a report: the page, tables, figures and model cards. Imports matplotlib."""

from collections.abc import Mapping
from pathlib import Path

from vietmer_core.files import write_atomically
from vietmer_core.reporting.card import card_markdown
from vietmer_core.reporting.contents import Contents
from vietmer_core.reporting.drawing import Picture
from vietmer_core.reporting.page import page_html
from vietmer_core.reporting.report_table import ReportTable

PAGE = "report.html"


def report_files(contents: Contents) -> dict[str, bytes]:
    """Name within the folder of a report → content; the page comes last.

    With several runs the names of what belongs to one begin with its name.
    """
    files = _of({**contents.tables, "headline": contents.headline}, contents.pictures, prefix="")
    for own in contents.runs:
        prefix = f"{own.run.slug}-" if len(contents.runs) > 1 else ""
        files |= _of(own.tables, own.pictures, prefix=prefix)
        files[f"{prefix}model_card.md"] = card_markdown(own).encode()
    kinds = ["tables/ (CSV, Markdown, LaTeX)", "figures/ (SVG, PDF)"]
    kinds += [name for name in files if name.endswith("model_card.md")]
    return {**files, PAGE: page_html(contents, files=kinds).encode()}


def _of(tables: Mapping[str, ReportTable], pictures: Mapping[str, Picture], *, prefix: str) -> dict[str, bytes]:
    files = {
        f"tables/{prefix}{name}": text.encode() for table in tables.values() for name, text in table.files().items()
    }
    for name, picture in pictures.items():
        files[f"figures/{prefix}{name}.svg"] = picture.svg
        files[f"figures/{prefix}{name}.pdf"] = picture.pdf
    return files


def write_report(folder: Path, contents: Contents) -> dict[str, int]:
    """Write a report into a folder; the size of each file in bytes.

    Raises:
        RunError: if a file cannot be written.
    """
    files = report_files(contents)
    for name, content in files.items():
        write_atomically(folder / name, content)
    return {name: len(content) for name, content in files.items()}
