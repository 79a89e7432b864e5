"""Waveform → log-mel frames as Whisper hears them, one utterance at a time, before any padding exists."""

from functools import cache
from typing import Final, final

import attrs
import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers.audio_utils import mel_filter_bank

from vietmer_audio_whisper.figures import HOP_SAMPLES, N_FFT, SAMPLING_RATE

FEWEST_FRAMES: Final = 16
"""Frames transformed at least: fewer columns take another matrix kernel, which differs in the last bit."""

TAIL_FRAMES: Final = 3
"""Frames behind the last sample: two whose window still reaches into the clip, and one of silence.

Appended zeros keep the window of every real frame away from the border, where the transform mirrors the clip. With
`pad_to_30s` these frames are kept: repeating the last one gives the padded spectrogram."""

LOWEST_POWER: Final = 1e-10
FLOOR_DECADES: Final = 8.0
"""Below the loudest value of an utterance, everything is raised to this far below it."""


@cache
def mel_filters(num_mels: int, device: torch.device) -> Tensor:
    """Triangles of the Slaney scale, `(bins, mels)` float32, made once a process and device."""
    filters = mel_filter_bank(
        num_frequency_bins=1 + N_FFT // 2,
        num_mel_filters=num_mels,
        min_frequency=0.0,
        max_frequency=8000.0,
        sampling_rate=SAMPLING_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters).to(device, torch.float32)


def log_mel(waveform: Tensor, *, num_mels: int) -> Tensor:
    """Log-mel frames `(samples // 160, mels)` float32, bit for bit those of transformers' `WhisperFeatureExtractor`.

    Frame i stands around sample 160 i. The floor is 8 decades below the loudest value of `waveform (samples,)`.
    """
    window = torch.hann_window(N_FFT, device=waveform.device)
    spectrum = torch.stft(waveform[None], N_FFT, HOP_SAMPLES, window=window, return_complex=True)  # (1, bins, frames)
    power = (spectrum[..., :-1].abs() ** 2).contiguous()  # (1, bins, frames - 1)
    mel = mel_filters(num_mels, waveform.device).T @ power  # (1, mels, frames)
    decades = mel.clamp(min=LOWEST_POWER).log10()
    floored = torch.maximum(decades, decades.max() - FLOOR_DECADES)
    return ((floored + 4.0) / 4.0)[0].T.contiguous()  # (frames, mels)


@final
@attrs.frozen(kw_only=True)
class WhisperFrontend:
    """Log-mel frames `(frames, mels)` float32 of a waveform `(samples,)` float32 in [-1, 1], 100 a second.

    A clip of n samples has ⌈n / 160⌉ frames: those of its 30 s spectrogram that stand on its own samples, difference
    0.0. One under 25 ms, a window of the transform, has none.

    Attributes:
        num_mels: Mel bands.
        window_samples: Samples to which a shorter clip is padded where `pads_to_window`.
        pads_to_window: The frames are those of the clip padded with silence, bit for bit transformers'; then
            `TAIL_FRAMES` more follow, the last of which stands for all the silence there is.
        pads_short: A clip under 25 ms is continued with zeros to 25 ms.
    """

    num_mels: int
    window_samples: int
    pads_to_window: bool = False
    pads_short: bool = False

    @property
    def sampling_rate(self) -> int:
        return SAMPLING_RATE

    def num_frames(self, num_samples: int, /) -> int:
        """Frames of a waveform of so many samples; 0 where it is shorter than 25 ms."""
        lengthened = num_samples + self.samples_added(num_samples)
        if lengthened < N_FFT:
            return 0
        return -(-lengthened // HOP_SAMPLES) + (TAIL_FRAMES if self.pads_to_window else 0)

    def samples_added(self, num_samples: int, /) -> int:
        """Zeros that continue a waveform shorter than 25 ms; 0 where it is long enough or empty."""
        return N_FFT - num_samples if self.pads_short and 0 < num_samples < N_FFT else 0

    @torch.no_grad()
    def __call__(self, waveform: Tensor, /) -> Tensor:
        """Frames of a waveform; one shorter than 25 ms gives `(0, mels)`, unless it is continued.

        Raises:
            ValueError: if the waveform is not float32 of shape `(samples,)`.
        """
        if waveform.ndim != 1 or waveform.dtype != torch.float32:
            raise ValueError(
                f"`waveform` must be float32 of shape (samples,), but is "
                f"{str(waveform.dtype).removeprefix('torch.')} of shape {tuple(waveform.shape)} instead."
            )
        num_frames = self.num_frames(len(waveform))
        if num_frames == 0:
            return waveform.new_zeros((0, self.num_mels))
        length = self._transformed_samples(len(waveform), num_frames)
        frames = log_mel(pad(waveform, (0, length - len(waveform))), num_mels=self.num_mels)[:num_frames]
        missing = num_frames - len(frames)  # of the tail, where less than that is left of the 30 s
        return torch.cat([frames, frames[-1:].expand(missing, -1)]) if missing else frames  # (frames, mels)

    def _transformed_samples(self, num_samples: int, num_frames: int) -> int:
        if self.pads_to_window and num_samples <= self.window_samples:
            return self.window_samples
        return (max(num_frames, FEWEST_FRAMES) + TAIL_FRAMES + 1) * HOP_SAMPLES
