"""Which sentences are nearly the same: candidates from bands of MinHash, then the trigrams compared. Torch-free.

Locality-sensitive hashing of Indyk and Motwani 1998 in the form of bands (Leskovec, Rajaraman and Ullman, "Mining of
massive datasets", section 3.4): 8 bands of 4 hashes find a pair of similarity .8 with probability .985. In a band a
sentence is compared with the next few only, so the work stays below quadratic.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT, AuditRows
from vietmer_core.audit.wording import NUM_HASHES, normalised, resemblance

MIN_WORDS: Final = 6
"""A shorter sentence, such as a greeting, is said by anyone."""
MIN_RESEMBLANCE: Final = 0.8
HASHES_OF_BAND: Final = 4
NEIGHBOURS: Final = 8
MIN_AGREEING: Final = 0.5
"""Share of equal hashes below which a pair is not read; one of similarity .8 has less with a probability of 1e-4."""
CACHED_SENTENCES: Final = 2**14

RULE: Final = (
    f"sentences of {MIN_WORDS} words or more whose letter trigrams have a Jaccard similarity of {MIN_RESEMBLANCE:g} or "
    "more, after NFC, without case and punctuation"
)


def distinct_sentences(rows: AuditRows) -> NDArray[np.int64]:
    """The first row of each sentence of `MIN_WORDS` or more."""
    long = np.flatnonzero((rows.keys["transcript"] != ABSENT) & (rows.words >= MIN_WORDS))
    _, firsts = np.unique(rows.keys["transcript"][long], return_index=True)
    return np.sort(long[firsts])


def near_sentences(rows: AuditRows) -> list[tuple[int, int, float]]:
    """Every two distinct sentences found to resemble one another: their first rows, and how much they do."""
    members = distinct_sentences(rows)
    candidates: set[tuple[int, int]] = set()
    for start in range(0, NUM_HASHES, HASHES_OF_BAND):
        band = np.ascontiguousarray(rows.signatures[members, start : start + HASHES_OF_BAND])  # (sentences, hashes)
        order = np.lexsort((members, *band.T))
        ordered = band[order]
        for shift in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero((ordered[shift:] == ordered[:-shift]).all(axis=1))
            pairs = np.sort(np.stack([members[order[same]], members[order[same + shift]]], axis=1), axis=1)
            agreeing = (rows.signatures[pairs[:, 0]] == rows.signatures[pairs[:, 1]]).mean(axis=1)  # (pairs,)
            candidates.update(map(tuple, pairs[agreeing >= MIN_AGREEING].tolist()))

    @lru_cache(CACHED_SENTENCES)
    def text(row: int) -> str:
        return normalised(rows.read(row).transcript)

    return [
        (first, second, found)
        for first, second in sorted(candidates)
        if (found := resemblance(text(first), text(second))) >= MIN_RESEMBLANCE
    ]
