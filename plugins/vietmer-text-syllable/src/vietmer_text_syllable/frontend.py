"""Transcript → rows of ids: one row a syllable, one row a byte of anything else. No vocabulary file."""

import re
import unicodedata
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, final

import attrs
import torch
from torch import Tensor

from vietmer_text_syllable.inventory import ONSETS, RHYMES, TONES
from vietmer_text_syllable.spelling import parse

FIELDS: Final = ("onset", "rhyme", "tone", "byte", "mark", "case")
"""The columns of a row. Id 0 is "none" in every column."""

FIELD_SIZES: Final = (len(ONSETS) + 1, len(RHYMES) + 1, len(TONES) + 1, 256 + 1, 2 + 1, 3 + 1)
"""Number of ids of each column, "none" included."""

NUM_SYLLABLES: Final = len(ONSETS) * len(RHYMES) * len(TONES)
"""Ids of whole syllables, those that spelling rules out included."""
NUM_OTHERS: Final = 4096
"""Ids that all other pieces share, by CRC-32 of their UTF-8 bytes."""
PIECE_FIELD_SIZE: Final = 1 + NUM_SYLLABLES + NUM_OTHERS
"""Number of ids of the column `piece`, "none" included."""

MARK_BEGIN: Final = 1
"""Mark of the first byte of a piece."""
MARK_CUT: Final = 2
"""Mark of the row that stands for the bytes left out of a long piece."""
CASE_TITLE: Final = 1
CASE_UPPER: Final = 2
CASE_MIXED: Final = 3

Row = tuple[int, int, int, int, int, int]

_PIECE: Final = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f])+|\d+|(\S)\1*")
_ETH_TO_D: Final = str.maketrans("Ðð", "Đđ")
_ONSET_IDS: Final = {onset: index for index, onset in enumerate(ONSETS, start=1)}
_RHYME_IDS: Final = {rhyme: index for index, rhyme in enumerate(RHYMES, start=1)}
_TONE_IDS: Final = {tone: index for index, tone in enumerate(TONES, start=1)}


def pieces(transcript: str, *, lowercase: bool) -> Iterator[str]:
    """Runs of letters, runs of digits, runs of one other character; NFC.

    The Icelandic eth, which old Vietnamese keyboards typed for đ, becomes đ.
    """
    text = unicodedata.normalize("NFC", transcript).translate(_ETH_TO_D)
    if lowercase:
        text = unicodedata.normalize("NFC", text.lower())
    return (match.group() for match in _PIECE.finditer(text))


def _case_of(piece: str) -> int:
    if piece.islower():
        return 0
    if piece.istitle():
        return CASE_TITLE
    return CASE_UPPER if piece.isupper() else CASE_MIXED


@lru_cache(maxsize=65_536)
def _syllable_row(piece: str) -> Row | None:
    syllable = parse(piece.lower())
    if syllable is None:
        return None
    onset, rhyme = _ONSET_IDS[syllable.onset], _RHYME_IDS[syllable.rhyme]
    return onset, rhyme, _TONE_IDS[syllable.tone], 0, 0, _case_of(piece)


def _syllable_id(row: Row) -> int:
    """The id of a whole syllable, from 1: its place in the table of onsets, rhymes and tones."""
    onset, rhyme, tone = (part - 1 for part in row[:3])
    return 1 + (onset * len(RHYMES) + rhyme) * len(TONES) + tone


def _other_id(piece: str) -> int:
    """The id of any other piece, after those of the syllables; pieces may share one."""
    return 1 + NUM_SYLLABLES + zlib.crc32(piece.encode("utf-8", errors="surrogatepass")) % NUM_OTHERS


def _byte_rows(piece: str, max_bytes: int) -> Iterator[Row]:
    encoded = piece.encode("utf-8", errors="surrogatepass")
    for index, byte in enumerate(encoded[:max_bytes]):
        yield 0, 0, 0, byte + 1, MARK_BEGIN if index == 0 else 0, 0
    if len(encoded) > max_bytes:
        yield 0, 0, 0, 0, MARK_CUT, 0


@final
@attrs.frozen(kw_only=True)
class SyllableFrontend:
    """Ids `(tokens, fields)` int64 of a transcript; columns as in `FIELDS`.

    A Vietnamese syllable is one row (onset, rhyme, tone). Every other piece is its UTF-8 bytes, one row each, the
    first with the mark "begin"; beyond `max_bytes_per_word` bytes, one row with the mark "cut" stands for the rest.
    With `whole` a seventh column names the piece: each syllable has an id of its own, and of any other piece the first
    row has one of `NUM_OTHERS`, by its hash.

    Attributes:
        max_tokens: A longer transcript keeps its first and last rows, half each (the odd one from the head).
        max_bytes_per_word: Most bytes of one piece.
        lowercase: Whether capital letters are made small; otherwise the column `case` tells how a syllable is
            written (small 0, Title 1, UPPER 2, mIxed 3) and bytes keep their case.
        whole: Whether rows have the column `piece`.
    """

    max_tokens: int
    max_bytes_per_word: int
    lowercase: bool
    whole: bool = False

    def __call__(self, transcript: str, /) -> Tensor:
        """Ids of a transcript; an empty one, or one of white space, gives `(0, fields)`."""
        rows = self._rows(transcript)
        if len(rows) > self.max_tokens:
            tail = self.max_tokens // 2
            rows = rows[: self.max_tokens - tail] + rows[len(rows) - tail :]
        num_fields = len(FIELDS) + self.whole
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), num_fields)  # (tokens, fields)

    def tokens_cut(self, transcript: str) -> int:
        """How many rows of a transcript `max_tokens` leaves out; 0 for most."""
        return max(0, len(self._rows(transcript)) - self.max_tokens)

    def _rows(self, transcript: str) -> list[tuple[int, ...]]:
        rows: list[tuple[int, ...]] = []
        for piece in pieces(transcript, lowercase=self.lowercase):
            row = _syllable_row(piece)
            own = list(_byte_rows(piece, self.max_bytes_per_word)) if row is None else [row]
            if not self.whole:
                rows.extend(own)
                continue
            rows.append((*own[0], _other_id(piece) if row is None else _syllable_id(row)))
            rows.extend((*byte, 0) for byte in own[1:])
        return rows
