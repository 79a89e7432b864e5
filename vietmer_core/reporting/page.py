"""The page: one HTML file that opens offline, pictures, sound and scripts inside. Imports matplotlib."""

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

import attrs
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from vietmer_core.comparison.comparing_runs import RunComparison
from vietmer_core.error_browser.entries import ErrorEntries
from vietmer_core.error_browser.page import ENTRIES_SCRIPT, ENTRIES_STYLE, entries_html
from vietmer_core.files import in_mib
from vietmer_core.reporting.contents import Contents, RunContents
from vietmer_core.reporting.drawing import Picture
from vietmer_core.reporting.evidence import RunEvidence
from vietmer_core.reporting.made_with import made_with, shown_spec
from vietmer_core.reporting.wording import (
    abstain_text,
    calibration_text,
    interval_note,
    interval_text,
    protocol_of,
    standing,
    standings,
    three,
    verdict_of,
)

TEMPLATES: Final = Path(__file__).parent / "templates"
WORDS: Final = {
    "abstain_text": abstain_text,
    "calibration_text": calibration_text,
    "in_mib": in_mib,
    "interval_note": interval_note,
    "interval_text": interval_text,
    "made_with": made_with,
    "protocol_of": protocol_of,
    "shown_spec": shown_spec,
    "standing": standing,
    "three": three,
    "verdict_of": verdict_of,
}
"""What the templates may call."""


@attrs.frozen(kw_only=True)
class Shown:
    """A picture in the page: `svg` is markup of our own, the rest is text."""

    svg: Markup
    caption: str
    alt: str
    is_wide: bool


def environment() -> Environment:
    """Where the templates live; everything that comes from data is escaped."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(WORDS)
    found.filters["coded"] = coded
    return found


def coded(text: str) -> Markup:
    """A sentence whose names stand between backticks, escaped, with `<code>` around them."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped here


def page_html(contents: Contents, *, files: Sequence[str]) -> str:
    """The page of a report. It loads nothing: its policy forbids it.

    Args:
        contents: What it shows.
        files: Names of what is written beside it.
    """
    numbers = count()
    shown = {
        own.run.slug: {name: _shown(picture, numbers) for name, picture in own.pictures.items()}
        for own in contents.runs
    }
    runs = [own.run for own in contents.runs]
    values = {
        "contents": contents,
        "compared": contents.comparison if isinstance(contents.comparison, RunComparison) else None,
        "standings": standings(runs),
        "stands": _stands(runs),
        "pictures": {name: _shown(picture, numbers) for name, picture in contents.pictures.items()},
        "shown": shown,
        "worst": {own.run.slug: _worst(own) for own in contents.runs},
        "files": files,
        # markup of our own: its files hold no value of the user's
        "style": Markup(ENTRIES_STYLE),  # noqa: S704
        "script": Markup(ENTRIES_SCRIPT),  # noqa: S704
    }
    return environment().get_template("page.html.j2").render(values)


def _stands(runs: Sequence[RunEvidence]) -> list[tuple[str, RunEvidence]]:
    """One run of each split protocol and audit, with the titles of those that share them."""
    found: dict[str, list[RunEvidence]] = {}
    for run in runs:
        found.setdefault(f"{standing(run)} {run.scores['audit']}", []).append(run)
    return [("; ".join(run.title for run in group), group[0]) for group in found.values()]


def _shown(picture: Picture, numbers: Iterator[int]) -> Shown:
    text = picture.inline(next(numbers))
    width = float(text[text.index('width="') + 7 :].split("pt", 1)[0])
    drawing = picture.drawing
    svg = Markup(text)  # noqa: S704  # matplotlib escapes the names that it draws
    return Shown(svg=svg, caption=drawing.caption, alt=drawing.alt, is_wide=width > 300)


def _worst(own: RunContents) -> Markup | None:
    if not isinstance(own.worst, ErrorEntries):
        return None
    return Markup(entries_html(own.worst))  # noqa: S704  # its template escapes
