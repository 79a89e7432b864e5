"""Sentences of a transcript made comparable, and their MinHash. Torch-free.

MinHash (Broder 1997, "On the resemblance and containment of documents"): the share of equal hashes of two sentences
estimates the Jaccard similarity of their sets of letter trigrams.
"""

import re
import unicodedata
from typing import Final

import numpy as np
from numpy.typing import NDArray

NUM_HASHES: Final = 32
_WORD: Final = re.compile(r"[^\W_]+")
_GENERATOR: Final = np.random.default_rng(20261128)  # the constants of the hashes, the same for ever
_FACTORS: Final = _GENERATOR.integers(1, 2**63, size=NUM_HASHES, dtype=np.uint64) * 2 + 1
_OFFSETS: Final = _GENERATOR.integers(0, 2**63, size=NUM_HASHES, dtype=np.uint64)


def normalised(transcript: str | None) -> str:
    """The words alone: NFC, without case, punctuation and signs such as emoji; empty where there is none."""
    if not transcript:
        return ""
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", transcript).casefold()))


def trigrams(text: str) -> NDArray[np.uint64]:
    """The set of letter trigrams of a normalised sentence `(trigrams,)`, each packed into a number, sorted."""
    letters = np.array([ord(letter) for letter in f" {text} "], dtype=np.uint64)  # (letters,)
    if len(letters) < 3:
        return letters
    packed = (letters[:-2] << np.uint64(42)) | (letters[1:-1] << np.uint64(21)) | letters[2:]
    return np.unique(packed)


def signature(text: str) -> NDArray[np.uint32]:
    """MinHash of a normalised sentence `(hashes,)`; zeros where it is empty."""
    if not text:
        return np.zeros(NUM_HASHES, dtype=np.uint32)
    grams = trigrams(text) * np.uint64(0x9E3779B97F4A7C15)  # wraps, which spreads neighbours
    grams ^= grams >> np.uint64(29)
    hashed = grams[None, :] * _FACTORS[:, None] + _OFFSETS[:, None]  # (hashes, trigrams)
    least: NDArray[np.uint32] = (hashed >> np.uint64(32)).min(axis=1).astype(np.uint32)  # (hashes,)
    return least


def resemblance(one: str, other: str) -> float:
    """Jaccard similarity of the trigrams of two normalised sentences, 0 to 1."""
    first, second = trigrams(one), trigrams(other)
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)
