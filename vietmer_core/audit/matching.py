"""Which segments are copies of one another: candidates from an index, then their bits compared. Torch-free.

Two segments are candidates where at least three frames have the same 32 bits at the same offset. The index is sorted
once, and a frame is paired with the next few of equal bits only, so the work grows with n·log n in the number of
frames, however common a sound is. A candidate is a copy where, at the best offset, few bits differ (Haitsma and Kalker
2002).
"""

from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT, groups_of
from vietmer_core.audit.fingerprints import HOP, RATE
from vietmer_core.audit.listening import Heard

MAX_BIT_ERROR_RATE: Final = 0.2
"""Copies through gain, resampling, G.711 or a cut of their edges stay below .08; different clips of one actor saying
one sentence of RAVDESS above .30."""
MIN_FRAMES: Final = 24
"""Frames that must be louder than silence in both: about 0.7 s of speech."""
MIN_SHARE: Final = 0.6
"""Share of the shorter one's loud frames that must be compared."""
MIN_VOTES: Final = 3
NEIGHBOURS: Final = 8
"""How many of the frames with the same bits a frame is paired with."""

RULE: Final = (
    f"at 8 kHz, at most {MAX_BIT_ERROR_RATE:.0%} of the fingerprint's bits differ over at least {MIN_SHARE:.0%} of the "
    "shorter one's speech, at the best offset"
)

_POPULATION: Final = np.array([value.bit_count() for value in range(2**16)], dtype=np.uint8)


@attrs.frozen(kw_only=True)
class Match:
    """Two rows whose audio is nearly the same.

    Attributes:
        first: The earlier row.
        second: The later row.
        bit_error_rate: Share of bits that differ, 0 to 1.
        offset: By how much the second begins later in the sound than the first, s; negative: earlier.
    """

    first: int
    second: int
    bit_error_rate: float
    offset: float


def near_copies(heard: Heard) -> list[Match]:
    """Every two rows found whose audio is nearly the same, by rows; of rows with the same samples only the first."""
    repeated = np.zeros(len(heard.samples), dtype=np.bool_)
    for group in groups_of(heard.samples):
        repeated[group[1:]] = True
    candidates = np.flatnonzero((heard.samples != ABSENT) & ~repeated)
    matches = [match for pair in _votes(heard, candidates) if (match := _compare(heard, *pair)) is not None]
    return sorted(matches, key=lambda match: (match.first, match.second))


def _votes(heard: Heard, rows: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Pairs of rows that agree in enough frames, each with the offset, in frames, of the most."""
    words, owners, frames = _index(heard, rows)
    found = []
    for shift in range(1, NEIGHBOURS + 1):
        same = np.flatnonzero((words[shift:] == words[:-shift]) & (owners[shift:] != owners[:-shift]))
        one, other = same, same + shift
        found.append(np.stack([owners[one], owners[other], frames[one] - frames[other]], axis=1))
    pairs = np.concatenate(found)  # (votes, 3); of two rows with equal words the first is the earlier row
    if not len(pairs):
        return []
    voted, counts = np.unique(pairs, axis=0, return_counts=True)
    enough = counts >= MIN_VOTES
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for (first, second, offset), count in zip(voted[enough].tolist(), counts[enough].tolist(), strict=True):
        if count > best.get((first, second), (0, 0))[0]:
            best[first, second] = count, offset
    return [(first, second, offset) for (first, second), (_, offset) in best.items()]


def _index(heard: Heard, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """The bits of every loud frame, sorted, with their row and frame; of equal bits in one row the first frame."""
    lengths = heard.spans[rows, 1] - heard.spans[rows, 0]
    places = np.concatenate([np.arange(*heard.spans[row]) for row in rows] or [np.zeros(0, dtype=np.int64)])
    owners = np.repeat(rows, lengths)
    frames = places - np.repeat(heard.spans[rows, 0], lengths)
    loud = heard.active[places]
    words, owners, frames = heard.bits[places[loud]], owners[loud], frames[loud]
    order = np.lexsort((frames, owners, words))
    words, owners, frames = words[order], owners[order], frames[order]
    again = np.zeros(len(words), dtype=np.bool_)
    again[1:] = (words[1:] == words[:-1]) & (owners[1:] == owners[:-1])
    return words[~again], owners[~again], frames[~again]


def _compare(heard: Heard, first: int, second: int, offset: int) -> Match | None:
    """The two at the best of three neighbouring offsets, where they are copies."""
    rates = {shift: _bit_error_rate(heard, first, second, shift) for shift in (offset - 1, offset, offset + 1)}
    best = min(rates, key=lambda shift: (rates[shift], shift))
    if rates[best] > MAX_BIT_ERROR_RATE:
        return None
    return Match(first=first, second=second, bit_error_rate=rates[best], offset=best * HOP / RATE)


def _bit_error_rate(heard: Heard, first: int, second: int, offset: int) -> float:
    """Share of differing bits where both are loud, at an offset of the first; 1 where too few frames are."""
    (begin, end), (other_begin, other_end) = heard.spans[first].tolist(), heard.spans[second].tolist()
    begin, other_begin = begin + max(0, offset), other_begin + max(0, -offset)
    length = min(end - begin, other_end - other_begin)
    if length < MIN_FRAMES:
        return 1.0
    one, other = slice(begin, begin + length), slice(other_begin, other_begin + length)
    loud = heard.active[one] & heard.active[other]
    least = min(int(heard.active[slice(*heard.spans[row].tolist())].sum()) for row in (first, second))
    if loud.sum() < max(MIN_FRAMES, MIN_SHARE * least):
        return 1.0
    differing = heard.bits[one][loud] ^ heard.bits[other][loud]  # (frames,)
    num_bits = int(_POPULATION[differing & 0xFFFF].sum()) + int(_POPULATION[differing >> 16].sum())
    return num_bits / (32 * int(loud.sum()))
