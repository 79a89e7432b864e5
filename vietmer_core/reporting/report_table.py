"""`ReportTable`: a table for people and the same figures for programs. Torch-free."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from vietmer_core.comparison.tables import TextTable, as_csv, as_latex, as_markdown


@attrs.frozen(kw_only=True, eq=False)
class ReportTable:
    """One table of a report.

    Attributes:
        name: Of its files, without suffix.
        table: Rounded, with its title.
        rows: With every digit, a mapping a row.
        of: The run that it is of; in front of its title in files.
        note: What its scores rest on; behind its title wherever it is written.
    """

    name: str
    table: TextTable
    rows: Sequence[Mapping[str, Any]]
    of: str = ""
    note: str = ""

    @property
    def title(self) -> str:
        """What it shows."""
        return self.table.title

    def files(self) -> dict[str, str]:
        """Name of a file → its content: CSV, Markdown and LaTeX (`booktabs`)."""
        whole = ". ".join(part for part in (f"{self.of}: {self.title}" if self.of else self.title, self.note) if part)
        titled = attrs.evolve(self.table, title=whole)
        texts = {"md": as_markdown(titled), "tex": as_latex(titled)}
        csv = {"csv": as_csv(self.rows)} if self.rows else {}
        return {f"{self.name}.{suffix}": text for suffix, text in (csv | texts).items()}
