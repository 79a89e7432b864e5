"""TOML text to plain values and the line of each. Torch-free.

`tomllib` reads the values and refuses what is not TOML, but forgets the lines. A second pass over the text, known by
then to be valid, finds them.
"""

import re
import tomllib
from typing import Any, Final

from vietmer_core.spec_document import Steps, TextFault

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_STRING: Final = r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})' + r"|'''.*?'''(?:'{0,2})" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'"
_SCALAR: Final = re.compile(rf"{_STRING}|[^,\]}}#\n]+", re.DOTALL)
_KEY_PART: Final = r'(?:"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+)'
_KEY: Final = re.compile(rf"{_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*")
_AT: Final = re.compile(r"^(?P<message>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL)
_NAME: Final = re.compile(r"\((?:'[^']*',? ?)+\)")


def parse_toml(text: str) -> tuple[dict[str, Any], dict[Steps, int]]:
    """The values of a TOML text, and the line of every value in it.

    Raises:
        TextFault: if it is not TOML.
    """
    text = text.replace("\r\n", "\n")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TextFault(_fault(error, text)) from None
    except RecursionError:
        raise TextFault((0, "is not a spec: it is nested too deeply.")) from None
    return values, _Lines(text).lines


def _fault(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    found = _AT.match(str(error))
    message = _NAME.sub(_quoted_name, found["message"] if found else str(error))
    message = f"is not TOML: {message[0].lower()}{message[1:]}"
    if found is None:
        return 0, f"{message}."
    if found["line"] is None:
        return text.rstrip().count("\n") + 1, f"{message} at the end of the text."
    return int(found["line"]), f"{message}."


def _quoted_name(found: re.Match[str]) -> str:
    names = re.findall(r"'([^']*)'", found[0])
    return f"`{'.'.join(names)}`"


class _Lines:
    """One pass over valid TOML that notes the line of every key and every list entry."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._last_entry: dict[Steps, int] = {}
        self.lines: dict[Steps, int] = {}
        self._read_document()

    def _read_document(self) -> None:
        table: Steps = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._read_header()
            else:
                self._read_pair(table)
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None, f"valid TOML was misread at character {self._at}"
        self._at = found.end()
        return found[0]

    def _note(self, steps: Steps) -> None:
        self.lines.setdefault(steps, self._text.count("\n", 0, self._at) + 1)

    def _read_key(self) -> Steps:
        keys: list[str] = []
        nested: Any = tomllib.loads(f"{self._skip(_KEY)}=0")
        while isinstance(nested, dict):
            ((key, nested),) = nested.items()
            keys.append(key)
        self._skip(_SPACE)
        return tuple(keys)

    def _read_header(self) -> Steps:
        is_entry = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if is_entry else 1
        self._skip(_SPACE)
        keys = self._read_key()
        self._at, end = start, self._at + (2 if is_entry else 1)
        steps: Steps = ()
        for depth, key in enumerate(keys, 1):
            steps = (*steps, key)
            self._note(steps)
            if is_entry and depth == len(keys):
                self._last_entry[steps] = self._last_entry.get(steps, -1) + 1
            if steps in self._last_entry:
                steps = (*steps, str(self._last_entry[steps]))
                self._note(steps)
        self._at = end
        return steps

    def _read_pair(self, table: Steps) -> None:
        start = self._at
        keys = self._read_key()
        self._at, end = start, self._at
        for depth in range(1, len(keys) + 1):
            self._note((*table, *keys[:depth]))
        self._at = end + 1
        self._skip(_SPACE)
        self._read_value((*table, *keys))

    def _read_value(self, steps: Steps) -> None:
        opening = self._text[self._at]
        if opening not in "[{":
            self._skip(_SCALAR)
            return
        self._at += 1
        self._skip(_BLANK)
        index = 0
        while self._text[self._at] not in "]}":
            if opening == "{":
                self._read_pair(steps)
            else:
                self._note((*steps, str(index)))
                self._read_value((*steps, str(index)))
                index += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1
