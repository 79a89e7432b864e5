"""Two sequences that attend to each other: pre-norm, with residuals and feed-forwards."""

from typing import final

from torch import Tensor, nn

from vietmer_core.nn.attention import MaskedAttention
from vietmer_core.nn.transformer import FeedForward
from vietmer_core.sequence import MaskedSequence


@final
class CrossAttentionStream(nn.Module):
    """One direction: a sequence attends to the other, then a feed-forward, both pre-norm with a residual.

    Where the other sequence has no frame, the attention adds zero and the residual passes the own frames on.

    Args:
        dim: Width of both sequences.
        num_heads: Must divide `dim`.
        hidden_dim: Width inside the feed-forward.
        dropout: Probability, on attention weights, inside the feed-forward and on both branches.
    """

    def __init__(self, *, dim: int, num_heads: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(dim)
        self.key_norm = nn.LayerNorm(dim)
        self.attention = MaskedAttention(query_dim=dim, key_dim=dim, num_heads=num_heads, dropout=dropout)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim=dim, hidden_dim=hidden_dim, dropout=dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: MaskedSequence, other: MaskedSequence) -> MaskedSequence:
        """`own (batch, query, dim)`, `other (batch, key, dim)` → `own` updated; its padding holds finite junk."""
        keys = other.with_features(self.key_norm(other.features))
        states = own.features
        states = states + self.dropout(self.attention(self.query_norm(states), keys))
        states = states + self.dropout(self.feed_forward(self.feed_forward_norm(states)))
        return own.with_features(states)

    def attention_weights(self, own: MaskedSequence, other: MaskedSequence) -> Tensor:
        """The weights of a forward pass in eval mode, `(batch, heads, query, key)`, 0 at padded queries and keys."""
        keys = other.with_features(self.key_norm(other.features))
        weights = self.attention.weights(self.query_norm(own.features), keys)
        return weights.masked_fill(~own.mask[:, None, :, None], 0)


@final
class CrossAttentionBlock(nn.Module):
    """Both directions, each with weights of its own.

    Pre-norm, residual and feed-forward follow Xiong et al. 2020; two crossed streams follow Tsai et al. 2019
    ("Multimodal Transformer for unaligned multimodal language sequences").

    Args:
        dim: Width of both sequences.
        num_heads: Must divide `dim`.
        hidden_dim: Width inside the feed-forwards.
        dropout: Probability, as in `CrossAttentionStream`.
        sequential: The text is updated first and the audio attends to the updated text. Otherwise the directions are
            parallel: each reads the other as it was before the block.
    """

    def __init__(self, *, dim: int, num_heads: int, hidden_dim: int, dropout: float, sequential: bool = False) -> None:
        super().__init__()
        self.text = CrossAttentionStream(dim=dim, num_heads=num_heads, hidden_dim=hidden_dim, dropout=dropout)
        self.audio = CrossAttentionStream(dim=dim, num_heads=num_heads, hidden_dim=hidden_dim, dropout=dropout)
        self.sequential = sequential

    def forward(self, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, MaskedSequence]:
        """`(batch, tokens, dim)`, `(batch, frames, dim)` → the same shapes and lengths."""
        updated: MaskedSequence = self.text(text, audio)
        return updated, self.audio(audio, updated if self.sequential else text)
