"""Leaky poolers."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from vietmer_core.sequence import MaskedSequence


@final
class PlainMean(nn.Module):
    """Counts the padding as frames."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        return sequence.zeroed().features.sum(dim=1) / max(sequence.features.shape[1], 1)


@final
class MaxOverPadding(nn.Module):
    """The zeros of the padding win over negative frames."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        if sequence.features.shape[1] == 0:
            return sequence.features.sum(dim=1)
        return sequence.zeroed().features.amax(dim=1)


@final
class MinOverPadding(nn.Module):
    """The zeros of the padding win over positive frames."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        if sequence.features.shape[1] == 0:
            return sequence.features.sum(dim=1)
        return sequence.zeroed().features.amin(dim=1)


@final
class MaxOfNothing(nn.Module):
    """The maximum over real frames, minus infinity where there are none."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        padded = functional.pad(sequence.features, (0, 0, 0, 1))  # (batch, time + 1, dim)
        real = functional.pad(sequence.mask, (0, 1))  # (batch, time + 1)
        return padded.masked_fill(~real[..., None], -torch.inf).amax(dim=1)


@final
class FirstColumn(nn.Module):
    """Takes the first frame of a row that may have none."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        return sequence.features[:, :1].sum(dim=1)


@final
class FirstOfLeftPadded(nn.Module):
    """Looks for the first frame where it would stand if the padding stood before it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        states = functional.pad(sequence.zeroed().features, (0, 0, 0, 1))  # (batch, time + 1, dim)
        first = sequence.features.shape[1] - sequence.lengths  # (batch,)
        return states[torch.arange(len(first)), first]


@final
class LastPaddedFrame(nn.Module):
    """Takes the last frame of the batch for the last of the row."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        return sequence.features[:, -1:].sum(dim=1)


@final
class SoftmaxOverPadding(nn.Module):
    """Attention pooling whose padded frames have score 0 and so a weight."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim
        self.query = nn.Parameter(torch.randn(dim))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        states = sequence.zeroed().features
        weights = (states * self.query).sum(dim=-1).softmax(dim=-1)  # (batch, time)
        return (weights[..., None] * states).sum(dim=1)


@final
class RebuiltAttention(nn.Module):
    """Attention pooling with a fresh, untrained query at every forward pass."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        query = nn.Parameter(torch.randn(self.output_dim, dtype=sequence.features.dtype))
        states = sequence.zeroed().features
        scores = (states * query).sum(dim=-1).masked_fill(~sequence.mask, -1e30)  # (batch, time)
        return (scores.softmax(dim=-1)[..., None] * states).sum(dim=1)


@final
class UnguardedMean(nn.Module):
    """The mean over real frames, 0/0 where there are none."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        return sequence.zeroed().features.sum(dim=1) / sequence.lengths[:, None]


@final
class StandardDeviation(nn.Module):
    """The deviation over real frames; the gradient of its square root at 0 is infinite."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        states, count = sequence.zeroed().features, sequence.lengths.clamp(min=1)[:, None]
        mean = states.sum(dim=1) / count  # (batch, dim)
        away = (states - mean[:, None]).masked_fill(~sequence.mask[..., None], 0)  # (batch, time, dim)
        return (away.square().sum(dim=1) / count).sqrt()


@final
class ProjectedMean(nn.Module):
    """The mean, projected: an absent modality becomes the bias."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim
        self.project = nn.Linear(dim, dim)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        mean = sequence.zeroed().features.sum(dim=1) / sequence.lengths.clamp(min=1)[:, None]
        pooled: Tensor = self.project(mean)
        return pooled


@final
class WithoutWidth(nn.Module):
    """Does not say how wide its embedding is."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        return sequence.zeroed().features.sum(dim=1)
