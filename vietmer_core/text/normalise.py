"""One way of writing the same transcript: Unicode NFC, marks in order and attached, plain spaces. Torch-free.

Letters are not judged: `khoẻee` and `Ａ` stay as they are, so do case and punctuation.
"""

import re
import unicodedata
from typing import Final

from vietmer_core.text.syllables import TONE_MARKS, VOWELS, is_syllable

_LETTERS: Final = str.maketrans({"ð": "đ", "Ð": "Đ", "Ɖ": "Đ", "ɖ": "đ"})
"""Letters that look like đ, typed for it by old keyboards and fonts."""

_INVISIBLE: Final = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufe0e\ufe0f\ufeff]")
"""Soft hyphens, zero-width spaces, marks of direction, and the choice between text and picture of an emoji."""

_CONTROL: Final = re.compile("[\u0000-\u001f\u007f-\u009f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MARKS: Final = re.compile("[\u0300-\u036f]{2,}")
_QUALITIES: Final = "\u0302\u0306\u031b"
"""Circumflex, breve and horn: they make another vowel and stand before the tone mark."""

_LEADING_TONES: Final = re.compile(f"[{TONE_MARKS}]+")
_FIRST_LETTERS: Final = re.compile(r"[^\W\d_]*")
_LAST_LETTERS: Final = re.compile(r"[^\W\d_]*\Z")


def normalise(transcript: str, /) -> str:
    """A transcript in its uniform writing; exactly idempotent, never fails.

    - Unicode NFC, a tone mark before its circumflex, breve or horn put behind it, eth written for đ made đ;
    - a tone mark that stands alone behind a space goes back to its letter, and the rest of its syllable with it
      (`nhiê ̀ u` → `nhiều`); one that fits no vowel is dropped;
    - invisible characters are dropped, lone surrogates become U+FFFD, every run of white space becomes one space.
    """
    text = _INVISIBLE.sub("", _SURROGATE.sub("\ufffd", transcript.translate(_LETTERS)))
    text = unicodedata.normalize("NFD", _CONTROL.sub(" ", text))
    text = unicodedata.normalize("NFC", _MARKS.sub(lambda match: _in_order(match.group()), text))
    return _attached(text.split())


def _in_order(marks: str) -> str:
    return "".join(sorted(marks, key=lambda mark: mark not in _QUALITIES))


def _attached(pieces: list[str]) -> str:
    """The pieces of a transcript with every tone mark that begins one given back to the vowel before it."""
    done: list[str] = []
    continues = False  # whether the piece before was a tone mark alone
    for piece in pieces:
        match = _LEADING_TONES.match(piece)
        rest = piece[match.end() :] if match else piece
        toned = _with_tone(done[-1], match.group()[0]) if match and done else None
        if toned is not None:
            done[-1] = toned
        if rest and done and (continues or toned is not None) and _belongs(done[-1], rest):
            done[-1] += rest
        elif rest:
            done.append(rest)
        continues = toned is not None and not rest
    return unicodedata.normalize("NFC", " ".join(done))


def _with_tone(piece: str, mark: str) -> str | None:
    """A piece with a tone mark on its last letter; None where that is no vowel or has a tone already."""
    decomposed = unicodedata.normalize("NFD", piece)
    base = decomposed.rstrip("\u0302\u0306\u031b")
    if not base or base[-1].lower() not in VOWELS:
        return None
    return unicodedata.normalize("NFC", decomposed + mark)


def _belongs(head: str, rest: str) -> bool:
    """Whether the letters at the end of one piece and at the begin of the next are one syllable, cut by its mark."""
    first, last = _FIRST_LETTERS.match(rest), _LAST_LETTERS.search(head)
    assert first is not None and last is not None  # noqa: PT018  # both match the empty string
    decomposed = unicodedata.normalize("NFD", (last.group() + first.group()).lower())
    bare = unicodedata.normalize("NFC", re.sub(f"[{TONE_MARKS}]", "", decomposed))
    return not first.group() or is_syllable(bare)
