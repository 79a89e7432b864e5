"""Utterances → patches of 96 log-mel frames, all patches of a batch in one unpadded batch."""

from collections.abc import Sequence
from typing import Final, Literal, final

import attrs
import torch
from torch import Tensor
from torch.nn.functional import pad

from vietmer_audio_dual.figures import HOP_SAMPLES, LOG_OFFSET, NUM_MELS, WINDOW_SAMPLES
from vietmer_audio_dual.log_mels import log_mel_frames, num_log_mel_frames

Tail = Literal["pad", "drop"]


@final
@attrs.frozen(kw_only=True)
class PatchGrid:
    """Where the patches of an utterance lie: patch p reads log-mel frames `p * hop` to `p * hop + patch_frames`.

    Attributes:
        patch_frames: Frames of a patch, 96 in VGGish.
        hop_frames: From one patch to the next; `patch_frames` where they do not overlap.
        tail: What becomes of the last frames that fill no patch. `pad`: they are completed to a patch with the frames
            of digital silence, log(0.01). `drop`: they are left out, except that an utterance shorter than one patch
            is completed all the same, since it would have no patch at all.
    """

    patch_frames: int
    hop_frames: int
    tail: Tail

    @property
    def hop_samples(self) -> int:
        """From the start of one patch to that of the next."""
        return self.hop_frames * HOP_SAMPLES

    @property
    def span_samples(self) -> int:
        """Samples that a patch reads: 15,600 for 96 frames."""
        return (self.patch_frames - 1) * HOP_SAMPLES + WINDOW_SAMPLES

    def counts(self, lengths: Tensor) -> Tensor:
        """Patches for samples, `(batch,)` int64 → `(batch,)` int64; 0 stays 0, anything else has at least one."""
        beyond = (num_log_mel_frames(lengths) - self.patch_frames).clamp(min=0)  # frames behind the first patch
        if self.tail == "pad":
            beyond = beyond + self.hop_frames - 1
        counts = 1 + torch.div(beyond, self.hop_frames, rounding_mode="floor")
        return torch.where(lengths > 0, counts, 0)


@final
@attrs.frozen(kw_only=True, eq=False)
class FlatPatches:
    """The patches of a batch, one utterance after the other, as places in the joined frames of all of them.

    Attributes:
        frames: `(frames, 64)`, each utterance's own, as many as its patches need.
        starts: `(patches,)` int64, the first frame of each patch.
    """

    frames: Tensor
    starts: Tensor

    def read(self, first: int, stop: int, *, patch_frames: int) -> Tensor:
        """Some patches, `(patches, patch_frames, 64)`; overlapping ones are copied only here."""
        offsets = torch.arange(patch_frames, device=self.starts.device)
        return self.frames[self.starts[first:stop, None] + offsets]  # (patches, patch_frames, 64)


SILENCE: Final = float(torch.tensor(LOG_OFFSET).log())
"""The log-mel of zeros, in every band."""


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch gives it no types
@torch.no_grad()
def flat_patches(waveforms: Tensor, lengths: Tensor, grid: PatchGrid) -> FlatPatches:
    """Cut the patches of a batch `(batch, samples)`; rows of length 0 give none.

    Each row is cut to its length before anything is computed: what the padding holds, NaN included, is never read.
    """
    with torch.autocast(waveforms.device.type, enabled=False):
        rows = [
            _completed(waveform[:length], grid)
            for waveform, length in zip(waveforms, lengths.tolist(), strict=True)
            if length > 0
        ]
    counts = [1 + (len(row) - grid.patch_frames) // grid.hop_frames for row in rows]
    frames = torch.cat([*rows, waveforms.new_zeros((0, NUM_MELS), dtype=torch.float32)])  # (frames, 64)
    return FlatPatches(frames=frames, starts=_starts(rows, counts, grid.hop_frames).to(frames.device))


def _starts(rows: Sequence[Tensor], counts: Sequence[int], hop_frames: int) -> Tensor:
    starts, before = [], 0
    for row, count in zip(rows, counts, strict=True):
        starts.append(before + hop_frames * torch.arange(count))
        before += len(row)
    return torch.cat([*starts, torch.zeros(0, dtype=torch.int64)])  # (patches,)


def _completed(waveform: Tensor, grid: PatchGrid) -> Tensor:
    """The frames that the patches of one waveform cover exactly, cut or completed with silence at the end."""
    frames = log_mel_frames(waveform)  # (frames, 64)
    count = int(grid.counts(torch.tensor([len(waveform)])))
    needed = (count - 1) * grid.hop_frames + grid.patch_frames
    missing = max(0, needed - len(frames))
    return pad(frames[:needed], (0, 0, 0, missing), value=SILENCE)  # (needed, 64)
