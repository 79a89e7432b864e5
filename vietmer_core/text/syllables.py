"""Written Vietnamese syllables: where the rhyme begins, and which letter carries the tone mark. Torch-free.

A syllable of quốc ngữ is an onset, a rhyme and a tone (Đoàn Thiện Thuật, "Ngữ âm tiếng Việt", 1977). The rhymes stand
as they are written (`yên` beside `iên`), loans of everyday use included. Which onset goes with which rhyme is not
checked: `kà` counts as a syllable, since its tone mark has one place only.
"""

import re
from functools import lru_cache
from typing import Final, Literal

TONE_MARKS: Final = "\u0300\u0301\u0309\u0303\u0323"
"""Huyền, sắc, hỏi, ngã and nặng as combining marks; ngang has none."""

VOWELS: Final = frozenset("aăâeêioôơuưy")
_MARKED_VOWELS: Final = frozenset("ăâêôơư")
_MOVING: Final = frozenset({"oa", "oe", "uy"})
"""Open rhymes in which the two styles differ."""

_ONSET: Final = re.compile(r"ngh|ng|nh|gh|gi|kh|ph|qu|th|tr|ch|[bcdđghklmnprstvx]|")
_RHYMES: Final = frozenset(
    re.findall(
        r"\w+",
        "a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây "
        "e ec em en eng eo ep et ê êch êm ên ênh êp êt êu "
        "i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu yêm yên yêng yêt yêu y ych ynh yt "
        "o oc oi om on ong ooc oong op ot oa oac oach oai oam oan oang oanh oao oap oat oay "
        "oăc oăm oăn oăng oăt oe oem oen oeo oet ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt "
        "u ua uc ui um un ung up ut uân uâng uât uây uê uêch uênh uêu uơ uôc uôi uôm uôn uông uôt "
        "uy uya uych uyn uynh uyp uyt uyu uyên uyêt ư ưa ưc ưi ưm ưn ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu",
    )
)


@lru_cache(maxsize=16_384)
def rhyme_start(bare: str, /) -> int | None:
    """Index of the first letter of the rhyme of a lower-case NFC word without tone mark; None for no syllable.

    The u of `qu` and the i of `gi` belong to the onset (quý, già), but not where nothing is left to be the rhyme
    (gì, gìn) or where i begins a rhyme with ê (giếng).
    """
    match = _ONSET.match(bare)
    assert match is not None  # the empty onset always matches
    start = match.end()
    if match.group() == "gi" and bare[start:] not in _RHYMES:
        start = 1
    return start if bare[start:] in _RHYMES else None


def is_syllable(bare: str, /) -> bool:
    """Whether a lower-case NFC word without tone mark is a syllable."""
    return rhyme_start(bare) is not None


def tone_place(bare: str, /, *, style: Literal["old", "new"]) -> int | None:
    """Index of the letter that carries the tone mark of a word as in `rhyme_start`; None for no syllable.

    A marked vowel carries it (`huế`, `giường`), else the last vowel before a final consonant (`hoàn`), else the middle
    one of three (`hoài`), else the first of two (`của`); in `oa`, `oe` and `uy` the first in the old style (`hòa`),
    the second in the new one (`hoà`).
    """
    start = rhyme_start(bare)
    if start is None:
        return None
    rhyme = bare[start:]
    marked = [index for index, letter in enumerate(rhyme) if letter in _MARKED_VOWELS]
    if marked:
        return start + marked[-1]
    num_vowels = sum(letter in VOWELS for letter in rhyme)
    if num_vowels < len(rhyme):  # a final consonant follows
        return start + num_vowels - 1
    if num_vowels == 3:
        return start + 1
    return start + int(rhyme in _MOVING and style == "new")
