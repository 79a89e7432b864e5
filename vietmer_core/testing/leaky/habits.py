"""Modules with bad habits: randomness, state, modes, dtypes and shapes."""

from typing import Self, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from vietmer_core.sequence import MaskedSequence


@final
class DropoutLeftOn(nn.Module):
    """Drops units in evaluation too: `training` is True by default in the function."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        return functional.dropout(sequence.features, 0.5)


@final
class GlobalSeed(nn.Module):
    """Seeds the whole program to make its own noise repeatable."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        torch.manual_seed(0)
        return sequence.features + torch.randn(self.dim, dtype=sequence.features.dtype)


@final
class OwnEntropy(nn.Module):
    """Draws its weights from the operating system, past every seed."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        generator = torch.Generator()
        generator.seed()
        self.weight = nn.Parameter(torch.randn(dim, generator=generator))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        return sequence.features * self.weight


@final
class UnregisteredWeights(nn.Module):
    """Keeps weights in a plain attribute, which no checkpoint holds."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weights = [torch.randn(dim)]

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        return sequence.features * self.weights[0].to(sequence.features.dtype)


@final
class WritesIntoItsInput(nn.Module):
    """Zeroes the padding in place."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        return sequence.features.masked_fill_(~sequence.mask[..., None], 0)


@final
class AlwaysTraining(nn.Module):
    """Ignores `eval()`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def train(self, mode: bool = True) -> Self:
        """Training mode, whatever is asked for."""
        del mode
        self.training = True
        return self

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        return sequence.features


@final
class RunningMean(nn.Module):
    """Subtracts a mean of the batches seen so far."""

    mean: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        if self.training and len(sequence.features):
            self.mean.lerp_(sequence.zeroed().features.detach().sum(dim=(0, 1)), 0.1)
        return sequence.features - self.mean


@final
class SinglePrecision(nn.Module):
    """Casts to float32, whatever it is given."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        return sequence.features.float()


@final
class UndeclaredWidth(nn.Module):
    """Gives twice the width that it declares."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, time, 2 dim)`."""
        return torch.cat([sequence.features, sequence.features], dim=-1)


@final
class PadsBySumming(nn.Module):
    """Adds what stands in the padding to a gradient without changing a value."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        scaled = sequence.features * self.scale
        total = scaled.sum(dim=1, keepdim=True)  # (batch, 1, dim)
        return scaled + (total - total.detach())
