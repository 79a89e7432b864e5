"""The reference's form of a cross-attention block; the improved one is the core's `CrossAttentionBlock`."""

from typing import final

import torch
from torch import nn

from vietmer_core.nn.attention import MaskedAttention
from vietmer_core.sequence import MaskedSequence


@final
class ReferenceBlock(nn.Module):
    """The reference's form: cross-attention of each direction, then one shared layer; no residual, no feed-forward.

    The shared layer is linear → LeakyReLU → layer norm → dropout, with the same weights for both directions. Where
    the other sequence has no frame, the own frames stand in for the attention's output, so that they are passed on.

    Args:
        dim: Width of both sequences.
        num_heads: Must divide `dim`.
        dropout: Probability, on attention weights and after the shared layer.
    """

    def __init__(self, *, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.text_attention = MaskedAttention(query_dim=dim, key_dim=dim, num_heads=num_heads, dropout=dropout)
        self.audio_attention = MaskedAttention(query_dim=dim, key_dim=dim, num_heads=num_heads, dropout=dropout)
        self.shared = nn.Sequential(nn.Linear(dim, dim), nn.LeakyReLU(), nn.LayerNorm(dim), nn.Dropout(dropout))

    def forward(self, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, MaskedSequence]:
        """`(batch, tokens, dim)`, `(batch, frames, dim)` → the same shapes and lengths."""
        return self._direction(self.text_attention, text, audio), self._direction(self.audio_attention, audio, text)

    def _direction(self, attention: MaskedAttention, own: MaskedSequence, other: MaskedSequence) -> MaskedSequence:
        any_key = (other.lengths > 0)[:, None, None]  # (batch, 1, 1)
        states = torch.where(any_key, attention(own.features, other), own.features)  # (batch, query, dim)
        return own.with_features(self.shared(states))
