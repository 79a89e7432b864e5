"""Which utterance lends its text or its audio to which other one. Torch-free."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

NOBODY: Final = -1
"""Instead of a position: the modality is absent."""


def deranged(
    ids: Sequence[str], *, seed: int, draw: int, eligible: NDArray[np.bool_], groups: Sequence[Hashable] | None = None
) -> NDArray[np.int64]:
    """The position of each utterance's donor: another utterance, and each lends once; itself where there is no other.

    The utterances of a group are ordered by a hash of (seed, draw, id) and each takes from the one behind it, the last
    from the first: a random cycle, in which nobody is left with his own. Who lends to whom follows from the ids, not
    from the order of the split.

    Args:
        ids: Of the utterances.
        seed: Of the evaluation.
        draw: Number of the derangement, from 0.
        eligible: `(utterances,)`, True for those that lend and borrow; the others keep their own.
        groups: Of the utterances: only members of one group exchange. None is one group.

    Returns:
        `(utterances,)` positions.
    """
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position in np.flatnonzero(eligible).tolist():
        members[None if groups is None else groups[position]].append(position)
    donors = np.arange(len(ids))
    for positions in members.values():
        cycle = sorted(positions, key=lambda position: _rank(ids[position], seed=seed, draw=draw))
        donors[cycle] = np.roll(cycle, -1)
    return donors


def _rank(utterance_id: str, *, seed: int, draw: int) -> bytes:
    return hashlib.blake2b(f"{seed}:{draw}:{utterance_id}".encode(), digest_size=16).digest()
