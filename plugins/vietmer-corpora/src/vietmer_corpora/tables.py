"""Tables of a corpus, CSV, TSV or Excel, as rows of text that know their line. Torch-free."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.data.importing import ImportLog
from vietmer_core.errors import DataError
from vietmer_corpora.texts import read_text

TEXT_SUFFIXES: Final = frozenset({".csv", ".tsv"})
SHEET_SUFFIXES: Final = frozenset({".xlsx", ".xls", ".ods"})
SUFFIXES: Final = TEXT_SUFFIXES | SHEET_SUFFIXES
_DELIMITERS: Final = (",", ";", "\t")
_LARGEST_CELL: Final = 2**24


@attrs.frozen(kw_only=True)
class TableRow:
    """One row of a table.

    Attributes:
        path: The file.
        line: Its line in the file, or its row in the sheet, from 1; of a cell over several lines the last.
        cells: Column → text without spaces around it; an empty cell is an empty string.
    """

    path: Path
    line: int
    cells: Mapping[str, str]

    @property
    def place(self) -> str:
        """`file:line`, for messages."""
        return f"{self.path}:{self.line}"


@attrs.frozen(kw_only=True)
class Table:
    """A table: its columns, and its rows.

    Attributes:
        path: The file.
        header_line: Line of the names of the columns.
        columns: The names of the columns, in order; those without a name are left out.
        rows: The rows.
    """

    path: Path
    header_line: int
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]

    def column(self, what: str, names: Sequence[str], *, given: str | None = None) -> str:
        """The column for something: the one given, or the first of `names` that there is, whatever its case.

        Args:
            what: What it holds, such as `the label`, for the message.
            names: Names that it may have.
            given: Its name, where the user has said it.

        Raises:
            DataError: where there is no such column; the sentence names those there are.
        """
        found = self.optional(names if given is None else [given])
        if found is not None:
            return found
        wanted = f"`{given}`" if given is not None else " or ".join(f"`{name}`" for name in names)
        has = ", ".join(f"`{name}`" for name in self.columns) or "none"
        near = get_close_matches(given or names[0], self.columns, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise DataError(
            f"{self.path}:{self.header_line}: there is no column {wanted} for {what}; the columns are {has}.{hint}"
        )

    def optional(self, names: Sequence[str]) -> str | None:
        """The first column of one of these names, whatever its case; None where there is none."""
        by_case = {column.casefold(): column for column in reversed(self.columns)}
        return next((by_case[name.casefold()] for name in names if name.casefold() in by_case), None)


def read_table(path: Path, *, log: ImportLog, or_cp1252: bool = False) -> Table:
    """A table with a header; rows of another width than the header go to the log.

    Args:
        path: A `.csv`, `.tsv`, `.xlsx`, `.xls` or `.ods` file; of a workbook the first sheet is read.
        log: Takes the faults of single rows.
        or_cp1252: As in `read_text`.

    Raises:
        DataError: where the file cannot be read, or has no header.
    """
    if path.suffix.lower() in SHEET_SUFFIXES:
        lines = list(_sheet_lines(path))
    else:
        lines = list(_text_lines(path, read_text(path, or_cp1252=or_cp1252)))
    if not lines:
        raise DataError(f"`{path}` is empty. Its first line must name the columns.")
    header_line, header = lines[0]
    names = [name for name in header if name]
    twice = next((name for name in names if names.count(name) > 1), None)
    if not names or twice is not None:
        fault = f"the column `{twice}` stands twice" if twice else "no column has a name"
        raise DataError(f"{path}:{header_line}: {fault}. Its first line must name the columns.")
    rows = tuple(_table_rows(path, header, lines[1:], log))
    return Table(path=path, header_line=header_line, columns=tuple(names), rows=rows)


def _table_rows(
    path: Path, header: Sequence[str], lines: Sequence[tuple[int, list[str]]], log: ImportLog
) -> Iterator[TableRow]:
    is_sheet = path.suffix.lower() in SHEET_SUFFIXES
    for line, cells in lines:
        if len(cells) != len(header) and not is_sheet:
            rule = f"has {len(cells)} cells, but the header has {len(header)}"
            remedy = "Put text that holds the delimiter in quotes."
            log.fault(path, line, f"the row {rule}.", remedy=remedy)
            continue
        padded = [*cells, *[""] * (len(header) - len(cells))]
        yield TableRow(
            path=path, line=line, cells={name: cell for name, cell in zip(header, padded, strict=False) if name}
        )


def _text_lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of a delimited text that hold something; the delimiter is the one that the first line has most of."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=first.count)
    csv.field_size_limit(_LARGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: the line is not CSV: {error}. Check its quotes.") from None


def _sheet_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet that hold something."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_path(path)
        values = workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, OSError, IndexError) as error:
        raise DataError(f"`{path}` cannot be read as a workbook: {str(error).rstrip('.')}. Save it anew.") from None
    for number, row in enumerate(values, start=1):
        cells = [_cell_text(value) for value in row]
        if any(cells):
            yield number, cells


def _cell_text(value: Any) -> str:
    """A cell as text: whole numbers without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
