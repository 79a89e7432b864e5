"""What one waveform is like: loudness, silence, clipping, its edges and its channel. Torch-free."""

from typing import Final

import attrs
import numpy as np
import scipy.fft
from numpy.typing import NDArray

FRAME_SECONDS: Final = 0.02
SILENCE_DECIBELS: Final = 35.0
"""A frame this far below the level of speech is silence."""
EDGE_DECIBELS: Final = 12.0
"""An edge no further than this below the level of speech is speech that was cut."""
LOWEST_DECIBELS: Final = -100.0
MIN_CLIPPED_PEAK: Final = 0.25
"""A plateau below this peak is the resolution of quiet samples, not clipping."""
_SPECTRUM: Final = 1024
_MAX_SPECTRA: Final = 64
_SHAPE: Final = np.hanning(_SPECTRUM).astype(np.float32)


@attrs.frozen(kw_only=True)
class Measures:
    """Of one segment; dB are relative to full scale.

    Attributes:
        loudness: Root mean square of the samples, dB.
        peak: Largest absolute sample, dB.
        floor: The level that 5 % of the frames of 20 ms stay below, dB.
        bandwidth: Frequency below which 99 % of the energy lies, Hz.
        silence: Share of frames 35 dB below the level of speech, which 95 % of the frames stay below.
        clipped: Share of samples in plateaus of three or more at the peak.
        cut_start: Whether the first 40 ms are within 12 dB of the level of speech.
        cut_end: Whether the last 40 ms are.
    """

    loudness: float
    peak: float
    floor: float
    bandwidth: float
    silence: float
    clipped: float
    cut_start: bool
    cut_end: bool


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether every sample is equal, which training refuses."""
    return bool((samples == samples[0]).all())


def measure(samples: NDArray[np.float32], sampling_rate: int) -> Measures:
    """The measures of a waveform `(samples,)` of one sample or more."""
    peak = float(np.abs(samples).max())
    levels = _levels(samples, sampling_rate)  # (frames,)
    speech = float(np.percentile(levels, 95))
    return Measures(
        loudness=_decibels(float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))),
        peak=_decibels(peak),
        floor=float(np.percentile(levels, 5)),
        bandwidth=_bandwidth(samples, sampling_rate),
        silence=float((levels < speech - SILENCE_DECIBELS).mean()),
        clipped=_clipped(samples, peak),
        cut_start=_is_cut(levels[:2], speech),
        cut_end=_is_cut(levels[-2:], speech),
    )


def _decibels(amplitude: float) -> float:
    return max(LOWEST_DECIBELS, 20 * float(np.log10(amplitude + 1e-12)))


def _levels(samples: NDArray[np.float32], sampling_rate: int) -> NDArray[np.float64]:
    """The level of each frame of 20 ms `(frames,)`, dB; what is left at the end belongs to the last frame."""
    size = max(1, round(FRAME_SECONDS * sampling_rate))
    starts = np.arange(0, max(1, len(samples) // size)) * size
    energies = np.add.reduceat(samples.astype(np.float64) ** 2, starts)  # (frames,)
    lengths = np.diff([*starts, len(samples)])
    levels: NDArray[np.float64] = np.maximum(LOWEST_DECIBELS, 10 * np.log10(energies / lengths + 1e-24))
    return levels


def _is_cut(edge: NDArray[np.float64], speech: float) -> bool:
    return bool(speech > LOWEST_DECIBELS and edge.mean() > speech - EDGE_DECIBELS)


def _clipped(samples: NDArray[np.float32], peak: float) -> float:
    if peak < MIN_CLIPPED_PEAK or len(samples) < 3:
        return 0.0
    at_peak = np.abs(samples) >= peak * (1 - 1e-4)
    inside = at_peak[:-2] & at_peak[1:-1] & at_peak[2:]
    plateau = np.zeros(len(samples), dtype=np.bool_)
    for shift in range(3):
        plateau[shift : shift + len(inside)] |= inside
    return float(plateau.mean())


def _bandwidth(samples: NDArray[np.float32], sampling_rate: int) -> float:
    """From the mean spectrum of at most 64 frames, spread over the segment."""
    padded = samples if len(samples) >= _SPECTRUM else np.pad(samples, (0, _SPECTRUM - len(samples)))
    starts = np.unique(np.linspace(0, len(padded) - _SPECTRUM, _MAX_SPECTRA).astype(np.int64))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SPECTRUM)[starts]  # (frames, samples)
    spectrum = scipy.fft.rfft(frames * _SHAPE, axis=1)
    power = np.cumsum((np.abs(spectrum) ** 2).sum(axis=0)[1:])  # (bins,)
    if power[-1] <= 0:
        return 0.0
    return float((np.searchsorted(power, 0.99 * power[-1]) + 1) * sampling_rate / _SPECTRUM)
