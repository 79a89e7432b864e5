"""Several frames → one patch, without reading padding."""

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import pad

from vietmer_core.sequence import MaskedSequence


def patch_lengths(lengths: Tensor, patch_frames: int) -> Tensor:
    """Number of patches of so many frames, `(batch,)` int64; a last, partial patch counts."""
    return torch.div(lengths + patch_frames - 1, patch_frames, rounding_mode="floor")


def mean_patches(sequence: MaskedSequence, patch_frames: int) -> MaskedSequence:
    """The mean of each `patch_frames` frames: `(batch, frames, dim)` → `(batch, patches, dim)`.

    A last, partial patch is the mean of the real frames that it has. Patches are counted from the utterance's first
    frame. Zeros in the padding.
    """
    frames = sequence.zeroed().features  # (batch, frames, dim)
    missing = -frames.shape[1] % patch_frames
    whole = pad(frames, (0, 0, 0, missing))  # (batch, patches * patch_frames, dim)
    grouped = rearrange(whole, "batch (patch frame) dim -> batch patch frame dim", frame=patch_frames)
    first = torch.arange(grouped.shape[1], device=frames.device)[None, :] * patch_frames  # (1, patches)
    num_real = (sequence.lengths[:, None] - first).clamp(min=1, max=patch_frames)  # (batch, patches)
    patches = grouped.sum(dim=2) / num_real[:, :, None]  # (batch, patches, dim)
    return MaskedSequence(features=patches, lengths=patch_lengths(sequence.lengths, patch_frames))
