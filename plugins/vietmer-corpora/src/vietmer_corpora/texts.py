"""Text files of a corpus: which encoding, and where a byte is wrong. Torch-free."""

from pathlib import Path
from typing import Final

from vietmer_core.errors import DataError

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""Byte order marks, and the codec that takes each away."""


def read_text(path: Path, *, or_cp1252: bool = False) -> str:
    """The text of a file: UTF-8, or UTF-16 with a byte order mark.

    Args:
        path: The file.
        or_cp1252: Whether a file that is not UTF-8 is taken for Windows-1252. Only for corpora in Western languages:
            Vietnamese in another encoding would come out as other letters, and nothing would say so.

    Raises:
        DataError: where the file cannot be read, or a byte is not of its encoding; the sentence names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"`{path}` cannot be read: {error.strerror or error}.") from None
    codec = next((codec for mark, codec in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        if or_cp1252 and codec == "utf-8" and b"\0" not in content:
            return content.decode("cp1252", errors="replace")
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{content[error.start]:02x}" if error.start < len(content) else "its end"
        name = codec.removesuffix("-sig").upper()
        raise DataError(f"{path}:{line}: {byte} is not {name}. Save the file as UTF-8.") from None


def unmangle(text: str) -> str:
    """Text whose Windows-1252 punctuation was read as Latin-1 once: an apostrophe that is U+0092 becomes `’`."""
    return "".join(_character(mark) if "\x80" <= mark <= "\x9f" else mark for mark in text)


def _character(mark: str) -> str:
    return mark.encode("latin-1").decode("cp1252", errors="replace").replace("\ufffd", mark)
