"""The VGGish half of the encoder: the patches of a batch → their embeddings, both unpadded."""

from collections.abc import Iterator
from typing import Final, final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vietmer_audio_dual.patches import FlatPatches, PatchGrid
from vietmer_audio_dual.vggish import Vggish
from vietmer_core.pretrained.backbone import PretrainedBackbone

PATCHES_AT_ONCE: Final = 4
"""Patches embedded at a time where no gradient is kept, always as many: about 4 s of audio. Fewer would read the
weights of the linear layers, 290 MB, more often; more would waste more dummies on one utterance alone."""


@final
class VggishHalf(nn.Module):
    """Patches of the waveforms of a batch (`flat_patches`) → their embeddings, `(patches, dim)`.

    Where VGGish keeps its weights, or gradients are off, it reads groups of 4 patches, the last one completed with
    zeros: a long recording needs no more memory than a short one, and whatever patches stand in a batch, every kernel
    sees the same shape, so that neighbours do not change a bit of an embedding. With gradients all patches are read at
    once, and memory grows with the audio.

    Args:
        backbone: Holds `Vggish`, with what is trained of it.
        grid: Where the patches lie.
    """

    def __init__(self, *, backbone: PretrainedBackbone, grid: PatchGrid) -> None:
        super().__init__()
        network = backbone.model
        assert isinstance(network, Vggish)
        self.backbone = backbone
        self.grid = grid
        self.dim = network.dim

    def forward(self, found: FlatPatches) -> Tensor:
        """Embeddings in the order of the patches."""
        count = len(found.starts)
        if not count or (torch.is_grad_enabled() and self.backbone.is_tuned):
            return self._embed(found.read(0, count, patch_frames=self.grid.patch_frames))
        with torch.no_grad():
            return torch.cat([*self._groups(found)])[:count]  # (patches, dim)

    def _groups(self, found: FlatPatches) -> Iterator[Tensor]:
        for first in range(0, len(found.starts), PATCHES_AT_ONCE):
            patches = found.read(first, first + PATCHES_AT_ONCE, patch_frames=self.grid.patch_frames)
            missing = PATCHES_AT_ONCE - len(patches)
            yield self._embed(pad(patches, (0, 0, 0, 0, 0, missing)))  # (PATCHES_AT_ONCE, dim)

    def _embed(self, patches: Tensor) -> Tensor:
        embeddings: Tensor = self.backbone.model(patches.to(_dtype_of(self.backbone)))
        return embeddings  # (patches, dim)


def _dtype_of(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
