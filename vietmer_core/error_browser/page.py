"""The page of the worst predictions: one HTML file that opens offline, sound inside. Torch-free."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vietmer_core.error_browser.entries import ErrorEntries, speakers_of
from vietmer_core.files import write_atomically

FOLDER: Final = Path(__file__).parent
ENTRIES_STYLE: Final = (FOLDER / "entries.css").read_text(encoding="utf-8")
"""For `entries_html`; needs --ink, --paper, --faint, --line, --card, --good, --bad, --text and --audio."""
ENTRIES_SCRIPT: Final = (FOLDER / "entries.js").read_text(encoding="utf-8")
"""For `entries_html`, behind it in the page: filters and sorting. Without it every entry is shown."""


def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def entries_html(found: ErrorEntries) -> str:
    """Filters and a card for each entry: a fragment that may stand anywhere in a page, alone in its parent."""
    return _environment().get_template("entries.html.j2").render(found=found, speakers=speakers_of(found.entries))


def page_html(found: ErrorEntries) -> str:
    """The whole page. It loads nothing: its policy forbids it."""
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            found=found,
            entries=entries_html(found),
            style=ENTRIES_STYLE,
            script=ENTRIES_SCRIPT,
            has_shares=any(entry.share for entry in found.entries),
        )
    )


def write_errors(path: Path, found: ErrorEntries) -> int:
    """Write the page; its size in bytes.

    Raises:
        RunError: if the file cannot be written.
    """
    content = page_html(found).encode()
    write_atomically(path, content)
    return len(content)
