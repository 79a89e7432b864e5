"""The word error rate of one text against another. Torch-free."""

from collections.abc import Sequence

import attrs


@attrs.frozen(kw_only=True)
class WordErrors:
    """Errors of a text against what was said, in words; `+` adds up texts.

    Attributes:
        words: Words that were said.
        substitutions: Words with another in their place.
        deletions: Words that are missing.
        insertions: Words that nobody said.
    """

    words: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    def __add__(self, other: "WordErrors") -> "WordErrors":
        mine, theirs = attrs.astuple(self), attrs.astuple(other)
        names = (field.name for field in attrs.fields(WordErrors))
        return WordErrors(**dict(zip(names, map(sum, zip(mine, theirs, strict=True)), strict=True)))

    @property
    def rate(self) -> float:
        """The word error rate, WER: errors ÷ words said; above 1 where many are inserted, 0 where nothing was said."""
        return (self.substitutions + self.deletions + self.insertions) / self.words if self.words else 0.0


def is_word(token: str) -> bool:
    """Whether a token between spaces holds a letter or a digit: marks of punctuation and pictures are no words."""
    return any(character.isalnum() for character in token)


def words_of(text: str) -> list[str]:
    """The words of a text."""
    return [token for token in text.split() if is_word(token)]


def word_errors(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """The fewest errors that make one list of words of the other (Levenshtein 1966).

    Of several ways with as few errors, the one with most substitutions counts, since each stands for a deletion and an
    insertion. Takes `len(said) * len(heard)` steps.
    """
    # for each number of words heard: (errors, deletions, insertions), the least of them
    row = [(count, 0, count) for count in range(len(heard) + 1)]
    for place, word in enumerate(said, start=1):
        last, row = row, [(place, place, 0)]
        for column, other in enumerate(heard):
            errors, deletions, insertions = last[column]
            kept = (errors + (word != other), deletions, insertions)
            missing = (last[column + 1][0] + 1, last[column + 1][1] + 1, last[column + 1][2])
            added = (row[column][0] + 1, row[column][1], row[column][2] + 1)
            row.append(min(kept, missing, added))
    errors, deletions, insertions = row[-1]
    return WordErrors(
        words=len(said), substitutions=errors - deletions - insertions, deletions=deletions, insertions=insertions
    )
