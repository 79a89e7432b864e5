"""The strided convolutions that some checkpoints have above the Transformer (`add_adapter`), without padding."""

from typing import Any, Final

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import pad

from vietmer_core.sequence import MaskedSequence

PADDING: Final = 1
"""Zeros that transformers' adapter puts before and after each row, at every layer."""


def adapted_lengths(lengths: Tensor, *, num_layers: int, kernel: int, stride: int) -> Tensor:
    """Frames behind the adapter, `(batch,)` int64; 0 stays 0."""
    for _ in range(num_layers):
        shorter = torch.div(lengths + 2 * PADDING - kernel, stride, rounding_mode="floor") + 1
        lengths = shorter.clamp(min=0).masked_fill(lengths == 0, 0)
    return lengths


def adapt(adapter: Any, sequence: MaskedSequence) -> MaskedSequence:
    """`(batch, time, dim)` → `(batch, fewer, output_dim)`; zeroed before each convolution, as a row alone would be."""
    states, lengths = sequence.features, sequence.lengths
    if adapter.proj is not None:
        states = adapter.proj_layer_norm(adapter.proj(states))  # (batch, time, output_dim)
    for layer in adapter.layers:
        (kernel,), (stride,) = layer.conv.kernel_size, layer.conv.stride
        zeroed = MaskedSequence(features=states, lengths=lengths).zeroed().features
        missing = max(0, kernel - 2 * PADDING - zeroed.shape[1])  # a batch too short for one frame gives none
        zeroed = pad(zeroed, (0, 0, 0, missing))  # (batch, time + missing, output_dim)
        columns = layer(rearrange(zeroed, "batch time dim -> batch dim time"))  # (batch, output_dim, fewer)
        states = rearrange(columns, "batch dim time -> batch time dim")
        lengths = adapted_lengths(lengths, num_layers=1, kernel=kernel, stride=stride)
    return MaskedSequence(features=states, lengths=lengths, draws=sequence.draws)
