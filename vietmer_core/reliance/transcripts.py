"""Transcripts with the faults of speech recognition: wrong words, lost tone marks, lost diacritics. Torch-free."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol, Self, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.augment.streams import operation_numbers
from vietmer_core.reliance.word_errors import is_word, words_of
from vietmer_core.text.syllables import TONE_MARKS

SUBSTITUTED: Final = 0.6
"""Share of the errors that put another word in a word's place."""
DELETED: Final = 0.25
"""Share of the errors that leave a word out; the rest, 0.15, add a word behind it."""


class TranscriptChange(Protocol):
    """Changes one transcript."""

    def __call__(self, transcript: str, /, *, identity: int, draw: int) -> str:
        """The changed transcript, NFC where the given one is.

        Args:
            transcript: As the manifest has it.
            identity: Of the utterance (`vietmer_core.data.dataset.identity_of`).
            draw: Number of the draw, from 0.
        """
        ...


@final
@attrs.frozen(kw_only=True, eq=False)
class Vocabulary:
    """The words of a split.

    Attributes:
        words: Each once, sorted.
        places: Each word's place in `words`.
        ends: `(words,)` cumulated shares of the split's running words; the last is 1.
    """

    words: tuple[str, ...]
    places: dict[str, int]
    ends: NDArray[np.float64]

    @classmethod
    def of(cls, transcripts: Iterable[str]) -> Self:
        """The words of some transcripts and how often they occur; whatever their order, the same."""
        counts = Counter(word for transcript in transcripts for word in words_of(transcript))
        words = tuple(sorted(counts))
        numbers = np.cumsum([counts[word] for word in words], dtype=np.float64)
        ends = numbers / max(float(numbers[-1]), 1.0) if words else numbers
        return cls(words=words, places={word: place for place, word in enumerate(words)}, ends=ends)

    def drawn(self, number: float, *, but: str | None = None) -> str:
        """A word by its share of the running words, another one than `but`, of which there must be one.

        Args:
            number: From 0, below 1.
            but: A word of the vocabulary that is left out, or None.
        """
        if but is not None:
            place = self.places[but]
            begin, end = (self.ends[place - 1] if place else 0.0), self.ends[place]
            number *= 1 - (end - begin)
            number += (end - begin) if number >= begin else 0
            found = min(int(np.searchsorted(self.ends, number, side="right")), len(self.words) - 1)
            return self.words[found if found != place else place - 1]  # rounding at an edge
        return self.words[min(int(np.searchsorted(self.ends, number, side="right")), len(self.words) - 1)]


@final
@attrs.frozen(kw_only=True, eq=False)
class WrongWords:
    """Words go wrong at a rate, each by itself: substituted, left out, or followed by another.

    At one seed the words that go wrong at a rate are among those that do at a higher one. At least one word stays: the
    last that would be left out is substituted. A token without a letter or digit is left as it is.

    Attributes:
        rate: Expected errors for each word, from 0 to 1.
        vocabulary: Where wrong words come from, by their shares of the split's running words.
        seed: Of the evaluation.
    """

    rate: float
    vocabulary: Vocabulary
    seed: int

    def __call__(self, transcript: str, /, *, identity: int, draw: int) -> str:
        """The transcript with wrong words; the numbers are drawn from (seed, draw, identity) alone."""
        tokens = transcript.split()
        stream = operation_numbers(seed=self.seed, epoch=draw, identity=identity, operation="words")
        numbers = stream.random((len(tokens), 3))
        words_left = len(words_of(transcript))
        made: list[str] = []
        for token, (fate, kind, choice) in zip(tokens, numbers.tolist(), strict=True):
            if not is_word(token) or fate >= self.rate:
                made.append(token)
                continue
            has_other = len(self.vocabulary.words) > (token in self.vocabulary.places)
            if SUBSTITUTED <= kind < SUBSTITUTED + DELETED and words_left > 1:
                words_left -= 1
            elif kind < SUBSTITUTED + DELETED and has_other:
                made.append(self.vocabulary.drawn(choice, but=token if token in self.vocabulary.places else None))
            else:
                made.extend((token, self.vocabulary.drawn(choice) if self.vocabulary.words else token))
        return " ".join(made)


def without_tones(transcript: str, /, *, identity: int = 0, draw: int = 0) -> str:  # noqa: ARG001  # the signature of a change
    """A text without its five tone marks: `rất bực mình` → `rât bưc minh`; NFC."""
    letters = unicodedata.normalize("NFD", transcript)
    return unicodedata.normalize("NFC", "".join(letter for letter in letters if letter not in TONE_MARKS))


def without_diacritics(transcript: str, /, *, identity: int = 0, draw: int = 0) -> str:  # noqa: ARG001  # as above
    """A text of bare Latin letters: `rất bực mình, đi` → `rat buc minh, di`; NFC."""
    letters = unicodedata.normalize("NFD", transcript.replace("đ", "d").replace("Đ", "D"))
    return unicodedata.normalize("NFC", "".join(letter for letter in letters if not unicodedata.combining(letter)))
