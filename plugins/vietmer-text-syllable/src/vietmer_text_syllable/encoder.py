"""The encoder: summed embeddings of the fields, positions, a small Transformer."""

from typing import final

import torch
from torch import Tensor, nn

from vietmer_core.nn.transformer import TransformerEncoder, sinusoidal_positions
from vietmer_core.sequence import MaskedSequence
from vietmer_text_syllable.frontend import FIELD_SIZES, PIECE_FIELD_SIZE


@final
class SyllableEncoder(nn.Module):
    """Ids `(batch, tokens, fields)` → `(batch, tokens, dim)`, trained from scratch.

    A token is the sum of the embeddings of its fields (id 0 adds nothing) and of its sinusoidal position, counted
    from the utterance's first token; a pre-norm Transformer reads the whole utterance. Zeros in the padding.

    Args:
        dim: Width of the embeddings and of the output.
        num_layers: Number of Transformer blocks.
        num_heads: Must divide `dim`.
        hidden_dim: Width of the feed-forward layers.
        dropout: Probability of dropping an embedded unit, an attention weight or a feed-forward unit in training.
        whole: Whether ids have the column `piece`, whose embedding is added to those of the parts.

    Raises:
        ValueError: if `num_heads` does not divide `dim`.
    """

    def __init__(
        self,
        *,
        dim: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        dropout: float,
        whole: bool = False,
    ) -> None:
        super().__init__()
        self.output_dim = dim
        sizes = (*FIELD_SIZES, PIECE_FIELD_SIZE) if whole else FIELD_SIZES
        self.embeddings = nn.ModuleList(nn.Embedding(size, dim, padding_idx=0) for size in sizes)
        self.dropout = nn.Dropout(dropout)
        self.transformer = TransformerEncoder(
            dim=dim, num_layers=num_layers, num_heads=num_heads, hidden_dim=hidden_dim, dropout=dropout
        )

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Lengths out for lengths in: the same."""
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, tokens, fields)` int64 → `(batch, tokens, dim)`; ids in the padding are not looked up."""
        ids = sequence.zeroed().features  # (batch, tokens, fields)
        columns = [embedding(ids[..., field]) for field, embedding in enumerate(self.embeddings)]
        states = torch.stack(columns).sum(dim=0)  # (batch, tokens, dim)
        states = states + sinusoidal_positions(
            states.shape[1], self.output_dim, device=states.device, dtype=states.dtype
        )
        encoded: MaskedSequence = self.transformer(sequence.with_features(self.dropout(states)))
        return encoded.zeroed()
