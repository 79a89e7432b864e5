"""A fingerprint of audio that survives gain, resampling, telephone coding and a cut of its edges. Torch-free.

That of Haitsma and Kalker 2002 ("A highly robust audio fingerprinting system", ISMIR), at 8 kHz so that speech of any
rate is compared in the band of a telephone: 32 bits for each frame, the signs of the differences, between frames, of
the differences between neighbouring bands in energy. A factor of gain leaves every sign as it is.
"""

from typing import Final

import attrs
import numpy as np
import scipy.fft
from numpy.typing import NDArray

RATE: Final = 8000
WINDOW: Final = 2048
"""Samples of a frame: 0.256 s, so that a shift by a part of a hop changes few bits."""
HOP: Final = 128
"""Samples between frames: 16 ms."""
LAG: Final = 4
"""Frames between the two that are compared: 64 ms."""
NUM_BANDS: Final = 33
LOWEST_HZ: Final = 300.0
HIGHEST_HZ: Final = 2000.0
ACTIVE_DECIBELS: Final = 25.0
"""Frames this far below the loudest one are silence, and their bits chance."""
_BLOCK: Final = 512


@attrs.frozen(kw_only=True, eq=False)
class Fingerprint:
    """The bits of one segment.

    Attributes:
        bits: `(frames,)` uint32.
        active: `(frames,)` whether the frame is louder than silence.
    """

    bits: NDArray[np.uint32]
    active: NDArray[np.bool_]


def _bands() -> NDArray[np.int64]:
    """The first bin of each band `(bands + 1,)`."""
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, NUM_BANDS + 1)
    return np.round(edges * WINDOW / RATE).astype(np.int64)


_EDGES: Final = _bands()
_SHAPE: Final = np.hanning(WINDOW).astype(np.float32)
_WEIGHTS: Final = (np.uint32(1) << np.arange(NUM_BANDS - 1, dtype=np.uint32)).astype(np.uint32)


def fingerprint(samples: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of a waveform `(samples,)` at 8 kHz; frames = ⌊(samples − 2048) / 128⌋ + 1 − 4.

    One that is shorter than a window and the lag has none.
    """
    energies = _energies(samples)  # (frames, bands)
    if len(energies) <= LAG:
        return Fingerprint(bits=np.zeros(0, dtype=np.uint32), active=np.zeros(0, dtype=np.bool_))
    slopes = energies[:, :-1] - energies[:, 1:]  # (frames, bands - 1)
    signs = slopes[LAG:] > slopes[:-LAG]  # (frames - lag, bands - 1)
    loudness = energies.sum(axis=1)  # (frames,)
    quietest = max(float(loudness.max()) * 10 ** (-ACTIVE_DECIBELS / 10), 1e-12)
    loud = loudness > quietest
    bits = (signs * _WEIGHTS).sum(axis=1, dtype=np.uint32)
    return Fingerprint(bits=bits, active=loud[LAG:] & loud[:-LAG])


def _energies(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The energy of each band in each frame `(frames, bands)`; blocks bound the memory of a long segment."""
    num_frames = (len(samples) - WINDOW) // HOP + 1
    if num_frames <= 0:
        return np.zeros((0, NUM_BANDS), dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]  # (frames, window)
    found = np.empty((num_frames, NUM_BANDS), dtype=np.float32)
    for start in range(0, num_frames, _BLOCK):
        spectrum = scipy.fft.rfft(windows[start : start + _BLOCK] * _SHAPE, axis=1)[:, : _EDGES[-1]]  # (block, bins)
        power = spectrum.real**2 + spectrum.imag**2
        found[start : start + _BLOCK] = np.add.reduceat(power, _EDGES[:-1], axis=1)
    return found
