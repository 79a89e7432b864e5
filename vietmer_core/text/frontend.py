"""The frontend of pretrained text encoders: transcript → ids of subwords."""

from functools import lru_cache
from typing import Final, Self, final

import attrs
import torch
from torch import Tensor

from vietmer_core.errors import DataError
from vietmer_core.text.abbreviations import ABBREVIATIONS_VERSION, read_abbreviations
from vietmer_core.text.normalise import normalise
from vietmer_core.text.numbers import read_numbers
from vietmer_core.text.params import ToneStyle, TranscriptParams, Unreadable
from vietmer_core.text.segmenters import Segmenter
from vietmer_core.text.subwords import Subwords
from vietmer_core.text.tones import place_tones
from vietmer_core.text.unreadable import contents, shortened

_SPECIAL_TOKENS: Final = 2
_SHORT: Final = 2_000
"""Characters of a transcript of which many are kept; of longer ones a few, so that memory stays bounded."""


@final
@attrs.frozen(kw_only=True)
class WordFrontend:
    """Transcript → words: normalised, read out, segmented, the tone marks placed.

    The segmenter always reads the new style unless marks are kept as written: both libraries find more words in it.

    Attributes:
        segmenter: What joins the syllables.
        tone_style: Place of the tone marks of the result.
        read_numbers: Whether numbers become words.
        read_abbreviations: Whether abbreviations become words.
    """

    segmenter: Segmenter
    tone_style: ToneStyle
    read_numbers: bool
    read_abbreviations: bool

    def __call__(self, transcript: str, /) -> str:
        """The words of a transcript, `_` between the syllables of each; empty for white space. Not cached."""
        text = normalise(transcript)
        text = read_numbers(text) if self.read_numbers else text
        text = read_abbreviations(text) if self.read_abbreviations else text
        words = self.segmenter(place_tones(text, style="keep" if self.tone_style == "keep" else "new"))
        return place_tones(words, style=self.tone_style)

    @property
    def provenance(self) -> dict[str, str | int]:
        """What the words depend on beside the parameters: versions of the library and of the table."""
        versions: dict[str, str | int] = {"segmenter": self.segmenter.provenance}
        return versions | ({"abbreviations": ABBREVIATIONS_VERSION} if self.read_abbreviations else {})


@final
@attrs.frozen(kw_only=True)
class TokenFrontend:
    """Ids `(tokens, 1)` int64 of a transcript, begun and ended by the special ids of the vocabulary.

    A transcript is prepared once: its ids are kept, in each process, for the 16,384 used last. Survives `pickle`
    (folder and choices only), may be used by several threads.

    Attributes:
        words: Transcript → words.
        subwords: Words → ids.
        max_tokens: Most ids, special ones included, at least 4. A longer transcript keeps its first and last ids, half
            each, the odd one from the head, between the special ids.
        unreadable: What happens to a transcript of which every token is unknown.
    """

    words: WordFrontend
    subwords: Subwords
    max_tokens: int = attrs.field(validator=attrs.validators.ge(4))
    unreadable: Unreadable

    @classmethod
    def from_params(cls, params: TranscriptParams, /, *, subwords: Subwords) -> Self:
        """The frontend that parameters describe, its files and library checked but not yet loaded.

        Raises:
            CheckpointError: if the folder has no tokenizer.
            PluginError: if the segmenter is not installed.
        """
        subwords.require_files()
        segmenter = Segmenter(params.segmenter)
        segmenter.require_library()
        words = WordFrontend(
            segmenter=segmenter,
            tone_style=params.tone_style,
            read_numbers=params.read_numbers,
            read_abbreviations=params.read_abbreviations,
        )
        return cls(words=words, subwords=subwords, max_tokens=params.max_tokens, unreadable=params.unreadable)

    def __call__(self, transcript: str, /) -> Tensor:
        """Ids `(tokens, 1)`; an empty transcript, or one of white space, gives `(0, 1)`.

        Raises:
            DataError: if no token is known to the vocabulary and `unreadable` is `refuse`.
            CheckpointError: if the tokenizer cannot be loaded.
        """
        ids = _ids_of(transcript, self.words, self.subwords)
        if not ids:
            return torch.zeros((0, 1), dtype=torch.int64)  # (0, 1)
        vocabulary = self.subwords.vocabulary()
        if self.unreadable == "refuse" and vocabulary.meaningless.issuperset(ids):
            raise DataError(
                f"the transcript `{shortened(transcript)}` must hold at least one token that the vocabulary of the "
                f"text encoder knows, but holds only {contents(transcript)}. Set it to null, write it in Vietnamese, "
                "or set `unreadable: keep`."
            )
        room = self.max_tokens - _SPECIAL_TOKENS
        if len(ids) > room:
            tail = room // 2
            ids = ids[: room - tail] + ids[len(ids) - tail :]
        return torch.tensor([vocabulary.begin, *ids, vocabulary.end], dtype=torch.int64).unsqueeze(1)  # (tokens, 1)

    def tokens_cut(self, transcript: str, /) -> int:
        """How many ids of a transcript `max_tokens` leaves out; 0 for most."""
        ids = _ids_of(transcript, self.words, self.subwords)
        return max(0, len(ids) + _SPECIAL_TOKENS - self.max_tokens)


def _ids_of(transcript: str, words: WordFrontend, subwords: Subwords) -> tuple[int, ...]:
    cached = _short_ids if len(transcript) <= _SHORT else _long_ids
    return cached(transcript, words, subwords)


def _ids(transcript: str, words: WordFrontend, subwords: Subwords) -> tuple[int, ...]:
    """All ids of a transcript but the special ones."""
    text = words(transcript)
    return tuple(subwords.vocabulary().encode(text)) if text else ()


_short_ids = lru_cache(maxsize=16_384)(_ids)
_long_ids = lru_cache(maxsize=16)(_ids)
