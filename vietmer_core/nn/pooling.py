"""Poolers: one embedding from the real frames of a sequence.

Each gives zeros, and no gradient, for a row of no frames; none lets the padding take part, whatever it holds.
"""

import math
from typing import final

import torch
from einops import rearrange
from torch import Tensor, nn

from vietmer_core.sequence import MaskedSequence


@final
class FirstFramePooler(nn.Module):
    """The first real frame; a row of none gives zeros.

    Of one stream of both modalities this is the first token of the text, or the first frame of the audio where the row
    has no text.

    Args:
        dim: Width of the frames and of the embedding.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        return sequence.zeroed().features[:, :1].sum(dim=1)  # (batch, dim); of width 0 too


@final
class MeanPooler(nn.Module):
    """The mean over real frames; a row of none gives zeros.

    Args:
        dim: Width of the frames and of the embedding.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        total = sequence.zeroed().features.sum(dim=1)  # (batch, dim)
        return total / sequence.lengths.clamp(min=1)[:, None]  # (batch, dim)


def _filled(sequence: MaskedSequence, value: float) -> Tensor:
    """The frames with `value` in the padding, at least one frame wide: `(batch, max(time, 1), dim)`."""
    filled = sequence.features.masked_fill(~sequence.mask[..., None], value)  # (batch, time, dim)
    return filled if filled.shape[1] else filled.new_full((len(filled), 1, filled.shape[2]), value)


@final
class MaxPooler(nn.Module):
    """The largest value of each column over real frames; a row of none gives zeros.

    Where several frames hold it, the first of them has the whole gradient. `amax` would share it among all, the padding
    included where every real value is -inf; the first can never lie in the padding, which stands behind the frames.

    Args:
        dim: Width of the frames and of the embedding.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        largest = _filled(sequence, -math.inf).max(dim=1).values  # (batch, dim)
        return largest.masked_fill((sequence.lengths == 0)[:, None], 0)


@final
class MinPooler(nn.Module):
    """The smallest value of each column over real frames; a row of none gives zeros.

    Where several frames hold it, the first of them has the whole gradient, as in `MaxPooler`.

    Args:
        dim: Width of the frames and of the embedding.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        smallest = _filled(sequence, math.inf).min(dim=1).values  # (batch, dim)
        return smallest.masked_fill((sequence.lengths == 0)[:, None], 0)


@final
class AttentionPooler(nn.Module):
    """Attention pooling: a learned query per head, a masked softmax over time, the heads side by side.

    Each head reads its own `dim / num_heads` columns (the multi-head form of Lin et al. 2017, "A structured
    self-attentive sentence embedding"). A row of no frames gives zeros and no gradient.

    Args:
        dim: Width of the frames and of the embedding.
        num_heads: Must divide `dim`.

    Raises:
        ValueError: if `num_heads` does not divide `dim`.
    """

    def __init__(self, *, dim: int, num_heads: int) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"`num_heads` must divide the width {dim}, but is {num_heads} instead.")
        self.output_dim = dim
        self.num_heads = num_heads
        self.query = nn.Parameter(torch.randn(num_heads, dim // num_heads) / math.sqrt(dim // num_heads))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        states = self._split_heads(sequence)
        weights = self._weights(states, sequence)  # (batch, heads, time)
        pooled = (weights[..., None] * states).sum(dim=2)  # (batch, heads, head_dim)
        return rearrange(pooled, "batch heads head_dim -> batch (heads head_dim)")

    def attention_weights(self, sequence: MaskedSequence) -> Tensor:
        """The weights of a forward pass, `(batch, heads, time)`: a row sums to 1, padding has 0, no frames give 0."""
        return self._weights(self._split_heads(sequence), sequence)

    def _split_heads(self, sequence: MaskedSequence) -> Tensor:
        return rearrange(
            sequence.zeroed().features, "batch time (heads head_dim) -> batch heads time head_dim", heads=self.num_heads
        )

    def _weights(self, states: Tensor, sequence: MaskedSequence) -> Tensor:
        real = sequence.mask[:, None, :]  # (batch, 1, time)
        scores = (states * self.query[:, None, :]).sum(dim=-1)  # (batch, heads, time)
        lowest = torch.finfo(scores.dtype).min
        return scores.masked_fill(~real, lowest).softmax(dim=-1).masked_fill(~real, 0)  # (batch, heads, time)
