"""The split that a file or folder is named for. Torch-free."""

import re
from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development"), "valid"),
    **dict.fromkeys(("test", "testing", "testdata", "eval", "evaluation"), "test"),
}
"""Words for a split, as the hub's loaders take them, → the split."""

_WORD: Final = re.compile(r"[A-Za-z]+")


def split_of(name: str) -> str:
    """The split that a name tells, such as `valid` of `valid_nor_811`; empty where it tells none, or several."""
    found = {WORDS[word.lower()] for word in _WORD.findall(name) if word.lower() in WORDS}
    return found.pop() if len(found) == 1 else ""
