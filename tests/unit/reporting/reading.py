"""What a page holds, read as a browser would."""

from html.parser import HTMLParser
from typing import final

VOID = frozenset({"meta", "input", "br", "img", "link", "hr", "use", "path"})


@final
class Read(HTMLParser):
    """The elements of a page with their attributes, its text, and its tables by name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.tables: dict[str, list[list[str]]] = {}
        self.open: list[str] = []
        self.unclosed: list[str] = []
        self._rows: list[list[str]] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._rows = self.tables.setdefault(found.get("data-table") or "", [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._rows is not None:
            self._rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)
        if tag == "table":
            self._rows = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._rows and self._rows[-1] and self.open and self.open[-1] in ("td", "th"):
            self._rows[-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag]
