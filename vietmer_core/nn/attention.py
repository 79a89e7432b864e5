"""Multi-head attention that never reads a padded key."""

import math
from typing import final

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from vietmer_core.sequence import MaskedSequence


@final
class MaskedAttention(nn.Module):
    """Multi-head attention of one sequence to another, or to itself (Vaswani et al. 2017, section 3.2).

    Padded keys are masked; a row without any real key gives zeros with finite gradients. Padded queries give
    undefined output, which the caller leaves in the padding.

    Args:
        query_dim: Width of the queries and of the output.
        key_dim: Width of the keys and values.
        num_heads: Must divide `query_dim`.
        dropout: Probability of dropping an attention weight in training.

    Raises:
        ValueError: if `num_heads` does not divide `query_dim`.
    """

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        if query_dim % num_heads:
            raise ValueError(f"`num_heads` must divide the width {query_dim}, but is {num_heads} instead.")
        self.num_heads = num_heads
        self.dropout = dropout
        self.query = nn.Linear(query_dim, query_dim)
        self.key = nn.Linear(key_dim, query_dim)
        self.value = nn.Linear(key_dim, query_dim)
        self.output = nn.Linear(query_dim, query_dim)

    def forward(self, queries: Tensor, keys: MaskedSequence) -> Tensor:
        """Attend. `queries (batch, query, query_dim)`, `keys (batch, key, key_dim)` → `(batch, query, query_dim)`."""
        query = self._split_heads(self.query(queries))  # (batch, heads, query, head_dim)
        key = self._split_heads(self.key(keys.features))  # (batch, heads, key, head_dim)
        value = self._split_heads(self.value(keys.features))  # (batch, heads, key, head_dim)
        mask = keys.mask[:, None, None, :]  # (batch, 1, 1, key)
        dropout = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        any_key = (keys.lengths > 0)[:, None, None]  # (batch, 1, 1)
        joined = rearrange(mixed, "batch heads query head_dim -> batch query (heads head_dim)")
        output: Tensor = self.output(joined)  # (batch, query, query_dim)
        return torch.where(any_key, output, torch.zeros_like(output))

    def weights(self, queries: Tensor, keys: MaskedSequence) -> Tensor:
        """The weights with which `forward` mixes the values in eval mode, computed beside it.

        `queries (batch, query, query_dim)`, `keys (batch, key, key_dim)` → `(batch, heads, query, key)`: each query's
        sum to 1, a padded key has 0, and so has every key of a row without any real one.
        """
        query = self._split_heads(self.query(queries))  # (batch, heads, query, head_dim)
        key = self._split_heads(self.key(keys.features))  # (batch, heads, key, head_dim)
        scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / math.sqrt(query.shape[-1])  # (batch, heads, query, key)
        real = keys.mask[:, None, None, :]  # (batch, 1, 1, key)
        lowest = torch.finfo(scores.dtype).min
        return scores.masked_fill(~real, lowest).softmax(dim=-1).masked_fill(~real, 0)

    def _split_heads(self, states: Tensor) -> Tensor:
        return rearrange(states, "batch time (heads head_dim) -> batch heads time head_dim", heads=self.num_heads)
