"""Poolers: one embedding from the real frames of a sequence."""

import math
from typing import final

import torch
from einops import rearrange
from torch import Tensor, nn

from vietmer_core.sequence import MaskedSequence


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
        states = rearrange(
            sequence.zeroed().features, "batch time (heads head_dim) -> batch heads time head_dim", heads=self.num_heads
        )
        real = sequence.mask[:, None, :]  # (batch, 1, time)
        scores = (states * self.query[:, None, :]).sum(dim=-1)  # (batch, heads, time)
        lowest = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(~real, lowest).softmax(dim=-1).masked_fill(~real, 0)  # (batch, heads, time)
        pooled = (weights[..., None] * states).sum(dim=2)  # (batch, heads, head_dim)
        return rearrange(pooled, "batch heads head_dim -> batch (heads head_dim)")
