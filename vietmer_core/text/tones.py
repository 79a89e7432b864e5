"""The place of tone marks, made uniform by syllable: hòa, khỏe, thúy (old) or hoà, khoẻ, thuý (new). Torch-free.

The letters of a word and their case never change, so a word whose marks stand elsewhere is mended too: `qúa` → `quá`,
`hòan` → `hoàn`. What is not a syllable with exactly one tone mark is left as it is.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from vietmer_core.text.params import ToneStyle
from vietmer_core.text.syllables import TONE_MARKS, tone_place

_WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])+")
_TONE: Final = re.compile(f"[{TONE_MARKS}]")


def place_tones(text: str, /, *, style: ToneStyle) -> str:
    """An NFC text with every tone mark where a style puts it; the same text for `keep`. NFC, exactly idempotent."""
    if style == "keep":
        return text
    return _WORD.sub(lambda match: _placed(match.group(), style), text)


@lru_cache(maxsize=65_536)
def _placed(word: str, style: ToneStyle) -> str:
    assert style != "keep"
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFD", word)
    marks = _TONE.findall(decomposed)
    if len(marks) != 1:
        return word
    bare = unicodedata.normalize("NFC", _TONE.sub("", decomposed))
    place = tone_place(bare.lower(), style=style)
    if place is None:
        return word
    return unicodedata.normalize("NFC", bare[: place + 1] + marks[0] + bare[place + 1 :])
