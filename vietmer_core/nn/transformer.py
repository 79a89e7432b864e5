"""A pre-norm Transformer encoder over masked sequences, and sinusoidal positions."""

import math
from typing import final

import torch
from torch import Tensor, nn

from vietmer_core.nn.attention import MaskedAttention
from vietmer_core.sequence import MaskedSequence


def sinusoidal_positions(time: int, dim: int, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Fixed positions `(time, dim)`, sines in the even columns, cosines in the odd (Vaswani et al. 2017, section 3.5).

    Position t depends on t alone, never on the width of the batch.
    """
    position = torch.arange(time, device=device, dtype=torch.float64)[:, None]  # (time, 1)
    column = torch.arange(0, dim, 2, device=device, dtype=torch.float64)  # (ceil(dim / 2),)
    angle = position * torch.exp(column * (-math.log(10_000.0) / dim))  # (time, ceil(dim / 2))
    table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)  # (time, 2 * ceil(dim / 2))
    return table[:, :dim].to(dtype)  # (time, dim)


@final
class FeedForward(nn.Module):
    """Linear → GELU → dropout → linear, at each frame alone."""

    def __init__(self, *, dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, hidden_dim)
        self.contract = nn.Linear(hidden_dim, dim)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """`(batch, time, dim)` → `(batch, time, dim)`."""
        output: Tensor = self.contract(self.dropout(self.activation(self.expand(states))))
        return output


@final
class TransformerBlock(nn.Module):
    """Pre-norm self-attention and feed-forward, each with a residual (Xiong et al. 2020)."""

    def __init__(self, *, dim: int, num_heads: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = MaskedAttention(query_dim=dim, key_dim=dim, num_heads=num_heads, dropout=dropout)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim=dim, hidden_dim=hidden_dim, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, dim)` → the same shape and lengths; no padded frame is read as a key."""
        states = sequence.features
        normed = self.attention_norm(states)
        states = states + self.dropout(self.attention(normed, sequence.with_features(normed)))
        states = states + self.dropout(self.feed_forward(self.feed_forward_norm(states)))
        return sequence.with_features(states)


@final
class TransformerEncoder(nn.Module):
    """A stack of pre-norm blocks and a last layer norm. Positions are the caller's."""

    def __init__(self, *, dim: int, num_layers: int, num_heads: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            TransformerBlock(dim=dim, num_heads=num_heads, hidden_dim=hidden_dim, dropout=dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, dim)` → the same shape and lengths."""
        for block in self.blocks:
            sequence = block(sequence)
        return sequence.with_features(self.norm(sequence.features))
