"""Written syllable ↔ (onset, rhyme, tone). Torch-free.

Composing holds every rule of spelling; parsing is its inverse over the closed sets, a look-up in the table of all
written forms. The place of the tone mark is not read: `hòa`, `hoà` and `hoa` + a mark elsewhere are one syllable.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

import attrs

from vietmer_text_syllable.inventory import (
    GLIDES,
    ONSETS,
    ONSETS_BEFORE_Y,
    RHYMES,
    RHYMES_AFTER_GI_WITH_FRONT_VOWEL,
    RHYMES_AFTER_QU,
    RHYMES_WITHOUT_ONSET_IN_YE,
    STOP_TONES,
    TONE_MARKS,
    TONES,
)

ToneStyle = Literal["old", "new"]

FRONT_VOWELS: Final = ("e", "ê", "i", "y")
VOWELS: Final = frozenset("aăâeêioôơuưy")
MARKED_VOWELS: Final = frozenset("ăâêôơư")
_FRONT_SPELLING: Final = MappingProxyType({"c": "k", "g": "gh", "ng": "ngh"})
_TONE_BY_MARK: Final = MappingProxyType(dict(zip(TONE_MARKS, TONES, strict=True)))


@attrs.frozen
class Syllable:
    """A syllable by its parts: members of `ONSETS`, `RHYMES` and `TONES`."""

    onset: str
    rhyme: str
    tone: str


def is_legal(onset: str, rhyme: str) -> bool:
    """Whether a rhyme stands after an onset in Vietnamese spelling.

    Every pair of the two sets is legal but those that spelling rules out or writes as another pair. Sound rules that
    everyday loans break (no w after a labial: buýt, voan) are not applied.
    """
    if onset == "qu":
        return rhyme in RHYMES_AFTER_QU
    if rhyme.startswith("y"):
        return rhyme == "y" and onset in ONSETS_BEFORE_Y
    if onset == "gi" and rhyme.startswith(FRONT_VOWELS):
        return rhyme in RHYMES_AFTER_GI_WITH_FRONT_VOWEL
    if onset == "" and rhyme.startswith("iê"):
        return rhyme in RHYMES_WITHOUT_ONSET_IN_YE
    return not (onset == "c" and rhyme.startswith(GLIDES))


def takes_tone(rhyme: str, tone: str) -> bool:
    """Whether a rhyme takes a tone: one that ends in a stop takes only sắc and nặng."""
    return tone in STOP_TONES or not rhyme.endswith(("p", "t", "c", "ch"))


def _written(onset: str, rhyme: str) -> tuple[str, str]:
    """The written onset and rhyme of a legal pair, without the tone."""
    if onset in {"", "qu"} and rhyme.startswith("iê"):
        return onset, "y" + rhyme[1:]
    if onset == "gi" and rhyme.startswith("i"):
        return "g", rhyme
    if rhyme.startswith(FRONT_VOWELS):
        return _FRONT_SPELLING.get(onset, onset), rhyme
    return onset, rhyme


def _tone_place(rhyme: str, style: ToneStyle) -> int:
    """Index of the letter of a written rhyme that carries the tone mark."""
    marked = [index for index, letter in enumerate(rhyme) if letter in MARKED_VOWELS]
    if marked:
        return marked[-1]
    num_vowels = sum(letter in VOWELS for letter in rhyme)
    if num_vowels < len(rhyme):  # a final consonant follows
        return num_vowels - 1
    if num_vowels == 3:
        return 1
    return int(num_vowels == 2 and rhyme.startswith(GLIDES) and style == "new")


def compose(syllable: Syllable, *, style: ToneStyle = "new") -> str:
    """The written form of a syllable, NFC, lower case; `style` places the tone mark: hòa (old) or hoà (new).

    Raises:
        ValueError: if the parts make no Vietnamese syllable.
    """
    known = syllable.onset in ONSETS and syllable.rhyme in RHYMES and syllable.tone in TONES
    if not known or not is_legal(syllable.onset, syllable.rhyme) or not takes_tone(syllable.rhyme, syllable.tone):
        raise ValueError(
            f"`syllable` must be an onset, a rhyme and a tone that go together, but is {syllable} instead."
        )
    onset, rhyme = _written(syllable.onset, syllable.rhyme)
    place = _tone_place(rhyme, style) + 1
    mark = TONE_MARKS[TONES.index(syllable.tone)]
    return unicodedata.normalize("NFC", onset + rhyme[:place] + mark + rhyme[place:])


@cache
def spellings() -> Mapping[str, tuple[str, str]]:
    """Every written form without its tone → (onset, rhyme)."""
    legal = [(onset, rhyme) for onset in ONSETS for rhyme in RHYMES if is_legal(onset, rhyme)]
    return MappingProxyType({"".join(_written(onset, rhyme)): (onset, rhyme) for onset, rhyme in legal})


def parse(word: str) -> Syllable | None:
    """The syllable that a lower-case word writes, in any Unicode normal form; None where it writes none.

    At most one tone mark, on any vowel.
    """
    letters: list[str] = []
    mark = ""
    base = ""
    for character in unicodedata.normalize("NFD", word):
        if character not in _TONE_BY_MARK:
            letters.append(character)
            base = character if not unicodedata.combining(character) else base
        elif mark or base not in VOWELS:
            return None
        else:
            mark = character
    pair = spellings().get(unicodedata.normalize("NFC", "".join(letters)))
    tone = _TONE_BY_MARK[mark]
    if pair is None or not takes_tone(pair[1], tone):
        return None
    return Syllable(onset=pair[0], rhyme=pair[1], tone=tone)
