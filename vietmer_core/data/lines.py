"""The lines of a JSONL file with their byte offsets, one at a time, in bounded memory. Torch-free.

A byte order mark before the first line and Windows line ends are tolerated; so are blank lines after the last row. A
blank line between two rows is a fault, since it usually marks a row that was lost.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from vietmer_core.data.faults import Fault
from vietmer_core.errors import DataError

MAX_LINE_BYTES: Final = 4 * 2**20
_PROBE_BYTES: Final = 4096
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SURROGATE_ESCAPES: Final = ("\\ud", "\\uD")


class Line(NamedTuple):
    """One line: its number from 1, its place in the file in bytes, and its bytes without the line end."""

    number: int
    offset: int
    raw: bytes


class RowFaultError(Exception):
    """A line that holds no row; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault: Final = fault


def open_manifest(path: Path, *, shown: Path) -> BinaryIO:
    """Open a manifest for reading bytes; messages name it as `shown`.

    Raises:
        DataError: where the file is missing, a folder, not text or may not be read.
    """
    try:
        stream = path.open("rb")
        start = stream.read(_PROBE_BYTES)
        stream.seek(0)
    except FileNotFoundError:
        raise DataError(f"manifest `{shown}` does not exist. Check the path.") from None
    except IsADirectoryError:
        raise DataError(f"manifest `{shown}` is a folder. Name the JSONL file in it.") from None
    except PermissionError:
        raise DataError(f"manifest `{shown}` may not be read. Check its permissions.") from None
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise DataError(f"manifest `{shown}` cannot be read: {reason}.") from None
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        stream.close()
        raise DataError(f"manifest `{shown}` is UTF-16. Save it as UTF-8.")
    if b"\0" in start:
        stream.close()
        raise DataError(f"manifest `{shown}` is a binary file. A manifest is UTF-8 text, one JSON object a line.")
    return stream


def iterate_lines(path: Path, report: Callable[[int, Fault], None], *, shown: Path) -> Iterator[Line]:
    """Every line that holds something; blank lines between rows and overlong lines go to `report(line, fault)`.

    Args:
        path: The file.
        report: Told each fault with its line.
        shown: The path that messages name.

    Raises:
        DataError: where the file cannot be opened as text.
    """
    with open_manifest(path, shown=shown) as stream:
        offset, number, num_blank = 0, 0, 0
        while raw := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > MAX_LINE_BYTES:
                remedy = "Write one object a line; the rest of the file was not read."
                report(number, Fault(code="line-too-long", message="the line exceeds 4 MiB.", remedy=remedy))
                return
            skipped = len(_BYTE_ORDER_MARK) if number == 1 and raw.startswith(_BYTE_ORDER_MARK) else 0
            content = raw[skipped:].strip(b" \t\r\n")
            if content:
                for line in range(number - num_blank, number):
                    report(line, Fault(code="blank-line", message="the line is blank.", remedy="Remove it."))
                num_blank = 0
                yield Line(number, offset + raw.index(content), content)
            else:
                num_blank += 1
            offset += len(raw)


def _refuse_constant(name: str) -> float:
    message = f"`{name}` is not JSON."
    raise RowFaultError(Fault(code="bad-json", message=message, remedy="Write null where a value is unknown."))


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        message = f"the object names `{twice}` twice."
        raise RowFaultError(Fault(code="repeated-field", field=twice, message=message, remedy="Keep one of them."))
    return fields


_decode: Final = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique_fields).decode


def _json_fault(text: str, error: Exception) -> Fault:
    if text.startswith("[") or text in {"{", "["}:
        remedy = "Write one object a line (JSON Lines), not one JSON document over several lines."
    else:
        remedy = "Write one JSON object a line."
    if isinstance(error, json.JSONDecodeError):
        found = error.msg.removesuffix(" at")
        return Fault(code="bad-json", message=f"not JSON: {found} at column {error.colno}.", remedy=remedy)
    return Fault(code="bad-json", message="not JSON that can be read: too deep, or a number too long.", remedy=remedy)


def decode_row(raw: bytes) -> dict[str, Any]:
    """The object of one line.

    Raises:
        RowFaultError: with code `not-utf8`, `bad-json`, `repeated-field` or `not-an-object`.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        message = f"byte 0x{raw[error.start]:02x} at position {error.start + 1} of the line is not UTF-8."
        raise RowFaultError(Fault(code="not-utf8", message=message, remedy="Save the file as UTF-8.")) from None
    try:
        row = _decode(text)
        if any(escape in text for escape in _SURROGATE_ESCAPES):
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = "a string holds half of a surrogate pair (`\\ud…`), which is no character."
        raise RowFaultError(Fault(code="bad-json", message=message, remedy="Write the character itself.")) from None
    except (ValueError, RecursionError) as error:
        raise RowFaultError(_json_fault(text, error)) from None
    if not isinstance(row, dict):
        remedy = "Write one object a line (JSON Lines)" + (", not one JSON array." if isinstance(row, list) else ".")
        message = f"the line must hold a JSON object, but holds {kind_of(row)} instead."
        raise RowFaultError(Fault(code="not-an-object", message=message, remedy=remedy))
    return row


def shown_number(value: float) -> str:
    """A JSON number in a message; an integer may have thousands of digits."""
    try:
        return f"{value:.6g}"
    except OverflowError:
        return f"a number of {len(str(abs(int(value))))} digits"


def kind_of(value: object) -> str:
    """What a JSON value is called in a message."""
    names = {bool: "a truth value", int: "a number", float: "a number", str: "a string", list: "a list"}
    return "null" if value is None else names.get(type(value), "an object")
