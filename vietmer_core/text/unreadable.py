"""What a transcript is made of that a vocabulary does not know, in words for a message. Torch-free."""

import unicodedata
from typing import Final

_LONGEST_QUOTE: Final = 40
_LATIN: Final = "Latin"


def shortened(transcript: str, /) -> str:
    """A transcript on one line, at most 40 characters and an ellipsis."""
    line = " ".join(transcript.split())
    return line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}…"


def contents(transcript: str, /) -> str:
    """What a transcript holds, such as `emoji or other symbols and Hangul letters`."""
    scripts = dict.fromkeys(_script(character) for character in transcript if character.isalpha())
    symbols = any(not character.isalnum() and not character.isspace() for character in transcript)
    parts = ["emoji or other symbols"] if symbols else []
    parts += [f"{script} letters" for script in scripts if script != _LATIN]
    if _LATIN in scripts or not parts:
        parts.append("words that are not in it")
    return " and ".join(parts)


def _script(letter: str) -> str:
    """First word of a letter's Unicode name, which is its script for all but a few."""
    name = unicodedata.name(letter, "unnamed").split()[0].split("-")[0]
    return name if name == "CJK" else name.capitalize()
