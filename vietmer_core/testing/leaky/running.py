"""Modules that go wrong only in half precision, when compiled, with draws of their own, or though frozen."""

from typing import Self, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan
from vietmer_core.pretrained.checkpoints import CheckpointRecord
from vietmer_core.sequence import MaskedSequence


@final
class SquaresInHalfPrecision(nn.Module):
    """Gives the share of each number in the energy of its frame; squares overflow in fp16 above 256."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)
        with torch.no_grad():
            self.project.weight.mul_(300)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        projected: Tensor = self.project(sequence.features)
        squares = projected * projected
        return squares / squares.sum(dim=-1, keepdim=True)


@final
class LargeNegativeNumber(nn.Module):
    """Masks scores with -1e9, a number that fp16 does not have."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        frames = self.query(sequence.features)
        scores = torch.matmul(frames, frames.mT)  # (batch, query, key)
        scores.masked_fill_(~sequence.mask[:, None, :], -1e9)
        attended: Tensor = torch.matmul(scores.softmax(dim=-1), frames)
        return attended


@final
class ShortcutWhenCompiled(nn.Module):
    """Leaves a step out in compiled code."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        if torch.compiler.is_compiling():
            return sequence.features + self.norm.bias
        normed: Tensor = self.norm(sequence.features)
        return normed


@final
class NeverCompiled(nn.Module):
    """A mean over the real frames that keeps the compiler out altogether."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not type it
    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        return sequence.zeroed().features.sum(dim=1) / sequence.lengths.clamp(min=1)[:, None]


@final
class DropoutTimeFirst(nn.Module):
    """Drops units of a tensor that begins with time, so that no unit belongs to an utterance."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        time_first = sequence.features.transpose(0, 1)  # (time, batch, dim)
        return functional.dropout(time_first, 0.5, training=self.training).transpose(0, 1)  # (batch, time, dim)


@final
class AwakenedBackbone(nn.Module):
    """An audio encoder whose frozen network is put into training mode with the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 1
        network = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
        record = CheckpointRecord(
            checkpoint="./none", revision=None, commit=None, weights="random", licence="none", files={}
        )
        self.backbone = PretrainedBackbone(network, layers=[network], record=record, plan=TrainingPlan())

    def train(self, mode: bool = True) -> Self:
        """The mode for every module, the frozen ones too."""
        super().train(mode)
        self.backbone.model.train(mode)
        return self

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """The same."""
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, 1)` → the same shape."""
        return sequence.with_features(self.backbone.model(sequence.features))
