"""The VGGish half of the encoder: the patches of a batch → their embeddings, both unpadded."""

from collections.abc import Iterator
from typing import Final, final

import torch
from torch import Tensor, nn

from vietmer_audio_dual.patches import FlatPatches, PatchGrid
from vietmer_audio_dual.vggish import Vggish
from vietmer_core.pretrained.backbone import PretrainedBackbone

PATCHES_AT_ONCE: Final = 32
"""Patches embedded at a time where no gradient is kept: about 31 s of audio, 160 MiB."""


@final
class VggishHalf(nn.Module):
    """Patches of the waveforms of a batch (`flat_patches`) → their embeddings, `(patches, dim)`.

    Where VGGish keeps its weights, or gradients are off, it reads so many patches at a
    time that a long recording needs no more memory than 31 s of it; with gradients memory grows with the audio.

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
        if torch.is_grad_enabled() and self.backbone.is_tuned:
            patches = found.read(0, len(found.starts), patch_frames=self.grid.patch_frames)
            return self._embed(patches)
        return self._embed_in_parts(found)

    @torch.no_grad()
    def _embed_in_parts(self, found: FlatPatches) -> Tensor:
        if len(found.starts) <= PATCHES_AT_ONCE:
            return self._embed(found.read(0, len(found.starts), patch_frames=self.grid.patch_frames))
        return torch.cat([*self._parts(found)])  # (patches, dim)

    def _parts(self, found: FlatPatches) -> Iterator[Tensor]:
        for first in range(0, len(found.starts), PATCHES_AT_ONCE):
            yield self._embed(found.read(first, first + PATCHES_AT_ONCE, patch_frames=self.grid.patch_frames))

    def _embed(self, patches: Tensor) -> Tensor:
        embeddings: Tensor = self.backbone.model(patches.to(_dtype_of(self.backbone)))
        return embeddings  # (patches, dim)


def _dtype_of(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
