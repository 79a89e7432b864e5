"""Layers over time that read the padding, or that depend on its width."""

from typing import final

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from vietmer_core.nn.transformer import sinusoidal_positions
from vietmer_core.sequence import MaskedSequence


def _channels_first(states: Tensor) -> Tensor:
    return rearrange(states, "batch time dim -> batch dim time")


def _channels_last(states: Tensor) -> Tensor:
    return rearrange(states, "batch dim time -> batch time dim")


@final
class BatchNorm(nn.Module):
    """Normalises with the statistics of the whole batch, padding included."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        return _channels_last(self.norm(_channels_first(sequence.features)))


@final
class GroupNorm(nn.Module):
    """Normalises over the padded time."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(dim, dim)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        states = functional.pad(_channels_first(sequence.zeroed().features), (0, 2))  # (batch, dim, time + 2)
        return _channels_last(self.norm(states))[:, : sequence.features.shape[1]]  # (batch, time, dim)


@final
class UnmaskedConvolutions(nn.Module):
    """Zeroes the padding once; the bias of the first convolution fills it again."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(dim, dim, 3, padding=1)
        self.second = nn.Conv1d(dim, dim, 3, padding=1)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        if sequence.features.shape[1] == 0:
            return sequence.features
        hidden = self.first(_channels_first(sequence.zeroed().features)).relu()  # (batch, dim, time)
        return _channels_last(self.second(hidden))


@final
class UnpackedBiLSTM(nn.Module):
    """Its backward direction starts in the padding."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        if sequence.features.shape[1] == 0:
            return sequence.features
        states: Tensor = self.lstm(sequence.zeroed().features)[0]
        return states


@final
class GateOfThePaddedMean(nn.Module):
    """Scales every frame by a sigmoid of the mean over the padded time."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        states = sequence.zeroed().features
        mean = states.sum(dim=1, keepdim=True) / max(states.shape[1], 1)  # (batch, 1, dim)
        return torch.sigmoid(self.linear(mean)) * states


@final
class UnmaskedAttention(nn.Module):
    """Self-attention that reads padded keys."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        states = self.project(sequence.zeroed().features)
        return functional.scaled_dot_product_attention(states, states, states)


@final
class TorchAttention(nn.Module):
    """`nn.MultiheadAttention` with its key mask: NaN for a row without any key."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.start = nn.Parameter(torch.zeros(1, 1, dim))

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, dim)` → `(batch, time + 1, dim)`: a query of its own before the frames."""
        states = sequence.zeroed().features
        queries = torch.cat([self.start.expand(len(states), 1, -1), states], dim=1)  # (batch, time + 1, dim)
        keys = functional.pad(states, (0, 0, 0, 1))  # (batch, time + 1, dim)
        padding = functional.pad(~sequence.mask, (0, 1), value=True)  # (batch, time + 1)
        mixed = self.attention(queries, keys, keys, key_padding_mask=padding)[0]
        return MaskedSequence(features=mixed, lengths=sequence.lengths + 1)


@final
class PositionsFromTheEnd(nn.Module):
    """Counts positions from the end of the padded batch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        states = sequence.features
        table = sinusoidal_positions(states.shape[1], self.dim, device=states.device, dtype=states.dtype)  # (time, dim)
        return states + table.flip(0)


@final
class PositionsByFraction(nn.Module):
    """Measures positions in fractions of the padded width."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        states = sequence.features
        fraction = torch.linspace(0, 1, states.shape[1], dtype=states.dtype)[:, None]  # (time, 1)
        return states + fraction * self.scale


@final
class InterpolatedAcrossThePadding(nn.Module):
    """Stretches the padded batch in time, where each row should be stretched over its own frames."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, dim)` → `(batch, 2 time - 1, dim)`."""
        states = sequence.zeroed().features
        if states.shape[1] == 0:
            return sequence
        width = 2 * states.shape[1] - 1
        stretched = functional.interpolate(_channels_first(states), size=width, mode="linear")  # (batch, dim, width)
        lengths = (2 * sequence.lengths - 1).clamp(min=0)
        return MaskedSequence(features=_channels_last(stretched) * self.scale, lengths=lengths)


@final
class WidthDependentSpans(nn.Module):
    """Masks a span in training, drawn over the padded width (SpecAugment as usually written)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mask_embedding = nn.Parameter(torch.zeros(dim))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        states = sequence.features
        if not self.training:
            return states
        start = torch.rand(len(states), 1) * states.shape[1]  # (batch, 1)
        position = torch.arange(states.shape[1])[None, :]  # (1, time)
        inside = (position >= start) & (position < start + 3)  # (batch, time)
        return torch.where(inside[..., None], self.mask_embedding, states)
