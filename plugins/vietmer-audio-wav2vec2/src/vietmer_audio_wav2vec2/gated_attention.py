"""WavLM's self-attention with gated relative positions, over real frames only and in bounded memory."""

import math
from typing import Any, Final, final

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

MOST_SCORES: Final = 2**25
"""Scores (rows × heads × queries × keys) computed at once where no gradient is wanted: 128 MiB in float32."""


@final
class GatedAttention(nn.Module):
    """Self-attention whose scores are shifted by a gated bias of the distance (Chen et al. 2022, WavLM, section 3.1).

    Made of the parts of transformers' `WavLMAttention`, under their names, which computes the same with every score
    of a layer in memory, reads the weights of its projections without calling them, so that low-rank updates beside
    them do nothing, and warns of its masks.

    Args:
        attention: A `WavLMAttention`; its parameters are taken over.
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.num_heads: int = attention.num_heads
        self.dropout: float = attention.dropout
        self.num_buckets: int = attention.num_buckets
        self.max_distance: int = attention.max_distance
        self.k_proj = attention.k_proj
        self.v_proj = attention.v_proj
        self.q_proj = attention.q_proj
        self.out_proj = attention.out_proj
        self.gru_rel_pos_const = attention.gru_rel_pos_const
        self.gru_rel_pos_linear = attention.gru_rel_pos_linear
        if hasattr(attention, "rel_attn_embed"):
            self.rel_attn_embed = attention.rel_attn_embed

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor,
        position_bias: Tensor | None = None,
        index: int = 0,  # noqa: ARG002  # transformers' layer gives it
    ) -> tuple[Tensor, None, Tensor]:
        """Attend.

        Args:
            hidden_states: `(batch, time, dim)`.
            attention_mask: `(batch, 1, 1, key)` bool, True = real frame.
            position_bias: What the first layer returned; None in the first layer.
            index: Number of the layer; not used.

        Returns:
            `(batch, time, dim)`, None, and the bias of each distance `(heads, 2 * time - 1)`, for the next layers.
        """
        time = hidden_states.shape[1]
        bias = self._distance_bias(time) if position_bias is None else position_bias  # (heads, 2 * time - 1)
        query = self._split_heads(self.q_proj(hidden_states))  # (batch, heads, query, head_dim)
        key = self._split_heads(self.k_proj(hidden_states))  # (batch, heads, key, head_dim)
        value = self._split_heads(self.v_proj(hidden_states))  # (batch, heads, key, head_dim)
        gate = self._gate(self._split_heads(hidden_states))  # (batch, heads, query, 1)
        shared = (key, value, gate, bias, attention_mask)
        wants_gradient = any(part.requires_grad for part in (query, *shared))
        step = max(1, MOST_SCORES // gate.numel())
        if torch.compiler.is_compiling() or self.training or wants_gradient or step >= time:
            mixed = self._attend(slice(0, time), query, *shared)  # (batch, heads, query, head_dim)
        else:
            parts = [slice(start, min(start + step, time)) for start in range(0, time, step)]
            mixed = torch.cat([self._attend(part, query, *shared) for part in parts], dim=2)
        joined = rearrange(mixed, "batch heads query head_dim -> batch query (heads head_dim)")
        return self.out_proj(joined), None, bias

    def _attend(
        self, part: slice, query: Tensor, key: Tensor, value: Tensor, gate: Tensor, bias: Tensor, mask: Tensor
    ) -> Tensor:
        """What some queries find among all keys, `(batch, heads, part of the queries, head_dim)`."""
        shift = gate[:, :, part] * self._rows(bias, part, key.shape[2])  # (batch, heads, query, key)
        scores = shift.to(query.dtype).masked_fill(~mask, -math.inf)
        dropout = self.dropout if self.training else 0.0
        return scaled_dot_product_attention(query[:, :, part], key, value, scores, dropout)

    def _split_heads(self, states: Tensor) -> Tensor:
        return rearrange(states, "batch time (heads head_dim) -> batch heads time head_dim", heads=self.num_heads)

    def _gate(self, states: Tensor) -> Tensor:
        """How much each query heeds distances, `(batch, heads, query, 1)`."""
        projected = rearrange(self.gru_rel_pos_linear(states), "... (gates parts) -> ... gates parts", gates=2)
        update, reset = projected.sum(dim=-1).sigmoid().chunk(2, dim=-1)  # (batch, heads, query, 1) each
        gate: Tensor = update * (reset * self.gru_rel_pos_const - 1.0) + 2.0
        return gate

    def _distance_bias(self, time: int) -> Tensor:
        """The bias of each distance, key minus query, from 1 - time to time - 1: `(heads, 2 * time - 1)`."""
        distances = torch.arange(1 - time, time, device=self.rel_attn_embed.weight.device)
        bias: Tensor = self.rel_attn_embed(self._buckets(distances))  # (distance, heads)
        return rearrange(bias, "distance heads -> heads distance")

    @staticmethod
    def _rows(bias: Tensor, queries: slice, time: int) -> Tensor:
        """The bias of the distances of some queries to every key, `(heads, query, key)`."""
        positions = torch.arange(time, device=bias.device)
        return bias[:, positions[None, :] - positions[queries, None] + time - 1]

    def _buckets(self, distances: Tensor) -> Tensor:
        """The bucket of each distance: one each up to a quarter of the buckets, then wider ones on a log scale.

        In float32 whatever the model, as transformers computes them: at a border another dtype gives another bucket.
        """
        half = self.num_buckets // 2
        exact = half // 2
        away = distances.abs()
        scaled = torch.log(away.clamp(min=1).float() / exact) / math.log(self.max_distance / exact)
        wide = (exact + scaled * (half - exact)).long().clamp(max=half - 1)
        return (distances > 0).long() * half + torch.where(away < exact, away, wide)
