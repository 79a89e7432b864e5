"""Log-mel frames of utterances of a padded batch, one utterance at a time: no padding is read, or even transformed."""

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad
from vietmer_audio_fourier2vec.frontend import LogMelFrontend, MelSettings

from vietmer_audio_dual.figures import HOP_SAMPLES, LOG_OFFSET, NUM_MELS, SAMPLING_RATE, WINDOW_SAMPLES

LOG_MELS: Final = LogMelFrontend(
    settings=MelSettings(
        sampling_rate=SAMPLING_RATE,
        window_samples=WINDOW_SAMPLES,
        hop_samples=HOP_SAMPLES,
        n_fft=512,
        num_mels=NUM_MELS,
        lowest_hz=125.0,
        highest_hz=7_500.0,
    ),
    log_offset=LOG_OFFSET,
    normalise="none",
)
"""The figures of VGGish: Hann window of 25 ms every 10 ms, uncentred; magnitude; 64 HTK bands, 125 to 7500 Hz."""

FRAMES_AT_ONCE: Final = 4_096
"""Frames transformed at a time: a long recording takes no more memory than 41 s of it."""


def log_mel_frames(waveform: Tensor) -> Tensor:
    """Frames `(frames, 64)` float32 of a waveform `(samples,)`: 1 + (samples − 400) // 160, without gradient.

    A waveform shorter than one window is continued with zeros to one frame. Frames depend on their own 400 samples
    alone, so that they may be computed piece by piece.
    """
    samples = waveform.detach().float()
    samples = pad(samples, (0, max(0, WINDOW_SAMPLES - len(samples))))  # (samples or 400,)
    pieces = []
    for first in range(0, LOG_MELS.num_frames(len(samples)), FRAMES_AT_ONCE):
        start = first * HOP_SAMPLES
        pieces.append(LOG_MELS(samples[start : start + (FRAMES_AT_ONCE - 1) * HOP_SAMPLES + WINDOW_SAMPLES]))
    return torch.cat(pieces)  # (frames, 64)


def num_log_mel_frames(lengths: Tensor) -> Tensor:
    """Frames for samples, `(batch,)` int64: at least one where there are samples, none where there are none."""
    whole = torch.div(lengths - WINDOW_SAMPLES, HOP_SAMPLES, rounding_mode="floor") + 1
    return torch.where(lengths > 0, whole.clamp(min=1), 0)
