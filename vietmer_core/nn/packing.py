"""Putting two sequences one after the other in time, row by row."""

import torch
from einops import repeat

from vietmer_core.sequence import MaskedSequence


def concatenate_in_time(first: MaskedSequence, second: MaskedSequence) -> MaskedSequence:
    """The real frames of `first`, then those of `second`, re-packed so that every row stays right-padded.

    Shapes: `(batch, a, dim)` and `(batch, b, dim)` → `(batch, a + b, dim)`, lengths added, zeros in the padding.
    The padding of either input is never read.
    """
    lengths = first.lengths + second.lengths  # (batch,)
    width, offset = first.features.shape[1] + second.features.shape[1], first.features.shape[1]
    position = torch.arange(width, device=lengths.device)[None, :]  # (1, a + b)
    from_first = position < first.lengths[:, None]  # (batch, a + b)
    source = torch.where(from_first, position, position - first.lengths[:, None] + offset)  # (batch, a + b)
    index = repeat(source.clamp(max=max(width - 1, 0)), "batch time -> batch time dim", dim=first.features.shape[2])
    joined = torch.cat([first.zeroed().features, second.zeroed().features], dim=1)  # (batch, a + b, dim)
    return MaskedSequence(features=joined.gather(1, index), lengths=lengths).zeroed()
