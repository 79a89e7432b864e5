"""Waveform → log-mel frames, one utterance at a time, before any padding exists."""

from functools import cache
from typing import Final, Literal, final

import attrs
import torch
from torch import Tensor
from torch.nn.functional import pad
from torchaudio.transforms import MelSpectrogram

Normalisation = Literal["none", "utterance_mean", "utterance"]

FEWEST_FRAMES: Final = 16
"""Frames transformed at least: fewer rows take another matrix kernel, whose last bit differs from a longer clip's."""

LOWEST_DEVIATION: Final = 1e-5
"""Floor of the standard deviation in `normalise: utterance`: a band that never changes becomes zeros."""


@final
@attrs.frozen(kw_only=True)
class MelSettings:
    """The figures of a mel spectrogram: samples, Hz and counts."""

    sampling_rate: int
    window_samples: int
    hop_samples: int
    n_fft: int
    num_mels: int
    lowest_hz: float
    highest_hz: float


@cache
def mel_transform(settings: MelSettings, device: torch.device | None = None) -> MelSpectrogram:
    """The transform of these settings, made once a process and device; HTK scale, triangles of height 1, magnitude."""
    return MelSpectrogram(
        sample_rate=settings.sampling_rate,
        n_fft=settings.n_fft,
        win_length=settings.window_samples,
        hop_length=settings.hop_samples,
        f_min=settings.lowest_hz,
        f_max=settings.highest_hz,
        n_mels=settings.num_mels,
        window_fn=torch.hann_window,
        power=1.0,
        center=False,
        norm=None,
        mel_scale="htk",
    ).to(device, torch.float32)


@final
@attrs.frozen(kw_only=True)
class LogMelFrontend:
    """Log-mel frames `(frames, mels)` float32 of a waveform `(samples,)` float32 in [-1, 1].

    Frames are uncentred: frame i covers samples `i * hop` to `i * hop + window` and depends on nothing else, so a
    waveform has `1 + (samples - window) // hop` frames. Each is log(mel + `log_offset`) of the magnitude spectrum.

    Attributes:
        settings: Figures of the spectrogram.
        log_offset: Added to the mel magnitude before the logarithm.
        normalise: `none`; `utterance_mean`, each band minus its mean over the utterance's own frames; `utterance`,
            divided by its standard deviation as well. Both remove loudness, which is a cue of emotion.
    """

    settings: MelSettings
    log_offset: float
    normalise: Normalisation

    @property
    def sampling_rate(self) -> int:
        return self.settings.sampling_rate

    def num_frames(self, num_samples: int, /) -> int:
        """Frames of a waveform of so many samples; 0 where it is shorter than one window."""
        spare = num_samples - self.settings.window_samples
        return 0 if spare < 0 else 1 + spare // self.settings.hop_samples

    @torch.no_grad()
    def __call__(self, waveform: Tensor, /) -> Tensor:
        """Frames of a waveform; one shorter than a window gives `(0, mels)`.

        With `normalise: none` the frames of a waveform are, bit for bit, the first frames of every continuation.

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
            return waveform.new_zeros((0, self.settings.num_mels))
        transform = mel_transform(self.settings, waveform.device)
        mel = transform(self._room_for_fft(waveform))  # (mels, frames or FEWEST_FRAMES)
        frames = torch.log(mel + self.log_offset).T[:num_frames].contiguous()  # (frames, mels)
        return self._normalised(frames)

    def _room_for_fft(self, waveform: Tensor) -> Tensor:
        """Zeros on both sides, which no window reads.

        The window stands in the middle of its `n_fft` samples and so starts at the first sample; a very short
        waveform is continued to `FEWEST_FRAMES` frames, which the caller drops again.
        """
        room = self.settings.n_fft - self.settings.window_samples
        fewest_samples = self.settings.window_samples + (FEWEST_FRAMES - 1) * self.settings.hop_samples
        short = max(0, fewest_samples - len(waveform))
        return pad(waveform, (room // 2, room - room // 2 + short))  # (samples + room + short,)

    def _normalised(self, frames: Tensor) -> Tensor:
        if self.normalise == "none":
            return frames
        exact = frames.double()  # in float32 the mean of equal frames is not the frame
        centred = exact - exact.mean(dim=0)  # (frames, mels)
        if self.normalise == "utterance_mean":
            return centred.float()
        deviation = centred.square().mean(dim=0).sqrt()  # (mels,)
        return (centred / deviation.clamp(min=LOWEST_DEVIATION)).float()
