"""Components that are exact, but whose kernels see shapes that depend on the neighbours."""

from typing import Final, final

import torch
from einops import repeat
from torch import Tensor, nn

from vietmer_core.sequence import MaskedSequence

HIDDEN: Final = 1024


@final
class FlattenedFrames(nn.Module):
    """Two layers over the real frames of all rows, without padding: how many there are decides the kernel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, dim))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → the same shape."""
        mask = sequence.mask
        frames = self.layers(sequence.features[mask])  # (real frames, dim)
        return torch.zeros_like(sequence.features, dtype=frames.dtype).masked_scatter(mask[..., None], frames)


@final
class RunningTotal(nn.Module):
    """The mean of a row as the difference of two sums over all rows before it, and over them and itself."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        """`(batch, time, dim)` → `(batch, dim)`."""
        frames = sequence.zeroed().features.sum(dim=1)  # (batch, dim)
        total = frames.cumsum(dim=0)  # (batch, dim)
        before = torch.cat([torch.zeros_like(total[:1]), total[:-1]])  # (batch, dim)
        own = (total - before) / sequence.lengths.clamp(min=1)[:, None]  # (batch, dim)
        absent = repeat(sequence.lengths == 0, "batch -> batch dim", dim=self.output_dim)
        return own.masked_fill(absent, 0)
