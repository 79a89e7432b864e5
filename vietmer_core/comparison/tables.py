"""Tables as text that other programs read: CSV, Markdown, LaTeX. Torch-free."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Self

import attrs

_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
}


@attrs.frozen(kw_only=True)
class TextTable:
    """A table of text.

    Attributes:
        title: What it shows.
        columns: The headings.
        rows: As many cells each as there are columns.
        num_left: Columns from the left that are aligned left; numbers, aligned right, follow.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    num_left: int = 1

    def __attrs_post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row must have {len(self.columns)} cells, but has {len(row)} instead.")

    def without(self, columns: Collection[str]) -> Self:
        """The same table without some columns."""
        kept = [index for index, column in enumerate(self.columns) if column not in columns]
        rows = tuple(tuple(row[index] for index in kept) for row in self.rows)
        num_left = sum(index < self.num_left for index in kept)
        return attrs.evolve(self, columns=tuple(self.columns[index] for index in kept), rows=rows, num_left=num_left)


def as_markdown(table: TextTable) -> str:
    """The table in Markdown, its title above it."""
    rules = ["---" if index < table.num_left else "--:" for index in range(len(table.columns))]
    lines = [_markdown_row(cells) for cells in (table.columns, rules, *table.rows)]
    return f"{table.title}\n\n" + "\n".join(lines) + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def as_latex(table: TextTable) -> str:
    """The table in LaTeX, for the package `booktabs`."""
    columns = "l" * table.num_left + "r" * (len(table.columns) - table.num_left)
    rows = [" & ".join(map(latex_text, cells)) + r" \\" for cells in table.rows]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_text(table.title)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(map(latex_text, table.columns)) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def latex_text(text: str) -> str:
    """Text in which no character has a meaning for LaTeX."""
    return "".join(_LATEX.get(character, character) for character in text)


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of numbers and text, one column a field; an absent value is an empty cell.

    Raises:
        ValueError: if there is no row, or two rows have different fields.
    """
    if not rows:
        raise ValueError("a CSV table must have a row, but has none.")
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
