"""The model card of a run, in Markdown (Mitchell et al. 2019, "Model cards for model reporting")."""

import re
from typing import Final

import attrs
from markupsafe import Markup

from vietmer_core.comparison.tables import as_markdown
from vietmer_core.reporting.contents import RunContents
from vietmer_core.reporting.page import environment
from vietmer_core.reporting.report_table import ReportTable

_SPECIAL: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", **{letter: f"\\{letter}" for letter in "\\`*_[]#|"}}
_BLANK_LINES: Final = re.compile(r"\n{3,}")


def markdown_text(text: object) -> Markup:
    """Text in which no character has a meaning for Markdown or HTML, in one line."""
    plain = " ".join(str(text).split())
    return Markup("".join(_SPECIAL.get(letter, letter) for letter in plain))  # noqa: S704  # escaped here


def _markdown_table(found: ReportTable) -> Markup:
    table = found.table
    escaped = attrs.evolve(
        table,
        title=_cell(found.title),
        columns=tuple(map(_cell, table.columns)),
        rows=tuple(tuple(map(_cell, row)) for row in table.rows),
    )
    return Markup(as_markdown(escaped).strip())  # noqa: S704  # escaped cell by cell


def _cell(text: str) -> str:
    """As `markdown_text`, but for the stroke, which `as_markdown` escapes."""
    return str(markdown_text(text)).replace("\\|", "|")


def card_markdown(own: RunContents) -> str:
    """The model card of one run."""
    found = environment()
    found.filters["md"] = markdown_text
    found.filters["markdown"] = _markdown_table
    text = found.get_template("card.md.j2").render(own=own, run=own.run)
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"
