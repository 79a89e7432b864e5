"""Signal processing between the synthesiser and the recording: timbre, loudness, background and telephone."""

from typing import Any, Final

import numpy as np
import soxr
from calls import Noise
from delivery import Delivery
from scipy.interpolate import CubicSpline
from scipy.signal import butter, lfilter, sosfiltfilt

Waveform = np.ndarray[Any, np.dtype[np.float64]]
"""Samples in -1 to 1, shape (samples,)."""

SAMPLING_RATE: Final = 16_000
TELEPHONE_RATE: Final = 8_000
TELEPHONE_BAND: Final = (300.0, 3400.0)
LEVEL_DBFS: Final = -29.0
"""Root mean square of level speech."""
TILT_HERTZ: Final = 1500.0
SWAY_HERTZ: Final = 1.7
MARGIN_S: Final = 0.04
MU: Final = 255.0


def decibels(amplitude_db: float) -> float:
    """Amplitude factor of a gain in dB."""
    return float(10.0 ** (amplitude_db / 20.0))


def rms(waveform: Waveform) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(waveform**2)))


def bend(waveform: Waveform, *, delivery: Delivery, sampling_rate: int, phase: float) -> Waveform:
    """Pitch and speed rise and fall by `delivery.sway`, and fall by `delivery.fall` over the whole."""
    seconds = np.arange(len(waveform)) / sampling_rate
    swaying = delivery.sway * np.sin(2 * np.pi * SWAY_HERTZ * seconds + phase)
    falling = delivery.fall * (0.5 - seconds / seconds[-1])
    positions = np.concatenate([[0.0], np.cumsum(1.0 + swaying + falling)[:-1]])
    inside = positions[positions <= len(waveform) - 1]
    return np.asarray(CubicSpline(np.arange(len(waveform)), waveform)(inside))


def trim(waveform: Waveform) -> Waveform:
    """Without the silence before and after, up to a margin of 40 ms."""
    window = SAMPLING_RATE // 100
    level = np.sqrt(np.convolve(waveform**2, np.ones(window) / window, mode="same"))
    loud = np.flatnonzero(level > 0.02 * level.max())
    margin = round(MARGIN_S * SAMPLING_RATE)
    return waveform[max(0, loud[0] - margin) : loud[-1] + margin]


def tilt(waveform: Waveform, *, gain_db: float) -> Waveform:
    """First-order shelf: the band above 1.5 kHz raised by `gain_db`."""
    numerator, denominator = butter(1, TILT_HERTZ, btype="high", fs=SAMPLING_RATE)
    treble = lfilter(numerator, denominator, waveform)
    return waveform + (decibels(gain_db) - 1.0) * np.asarray(treble)


def press(waveform: Waveform, *, drive: float) -> Waveform:
    """Soft clipping, as of a pressed voice; the peak stays where it is."""
    if drive <= 0.0:
        return waveform
    peak = np.abs(waveform).max()
    return np.asarray(np.tanh(drive * waveform / peak) * (peak / np.tanh(drive)))


def finish(waveform: Waveform, *, delivery: Delivery, sampling_rate: int, phase: float) -> Waveform:
    """The synthesiser's samples as spoken: bent, trimmed, coloured, and as loud as `delivery` asks."""
    bent = bend(waveform, delivery=delivery, sampling_rate=sampling_rate, phase=phase)
    speech = trim(np.asarray(soxr.resample(bent, sampling_rate, SAMPLING_RATE, quality="HQ")))
    coloured = press(tilt(speech, gain_db=delivery.tilt_db), drive=delivery.drive)
    return coloured * decibels(LEVEL_DBFS + delivery.gain_db) / rms(coloured)


def background(kind: Noise, *, num_samples: int, babble: Waveform, rng: np.random.Generator) -> Waveform:
    """Noise of unit root mean square: a steady hiss, mains hum with a little hiss, or far voices."""
    white = rng.normal(size=num_samples)
    hiss = np.asarray(lfilter([1.0], [1.0, -0.9], white))
    if kind == "babble":
        start = int(rng.integers(len(babble)))
        noise = np.resize(np.roll(babble, -start), num_samples) + 0.1 * rms(babble) * hiss / rms(hiss)
    elif kind == "hum":
        seconds = np.arange(num_samples) / SAMPLING_RATE
        hum = sum(np.sin(2 * np.pi * 50.0 * order * seconds + order) / order for order in (1, 2, 3, 5, 7))
        noise = hum + 0.3 * hiss / rms(hiss)
    else:
        noise = hiss
    return np.asarray(noise / rms(noise))


def through_telephone(waveform: Waveform) -> Waveform:
    """300 to 3400 Hz at 8 kHz with G.711 mu-law steps, and back to 16 kHz; the same number of samples."""
    sections = butter(4, TELEPHONE_BAND, btype="bandpass", fs=SAMPLING_RATE, output="sos")
    narrow = soxr.resample(sosfiltfilt(sections, waveform), SAMPLING_RATE, TELEPHONE_RATE, quality="HQ")
    clipped = np.clip(narrow, -1.0, 1.0)
    companded = np.sign(clipped) * np.log1p(MU * np.abs(clipped)) / np.log1p(MU)
    stepped = np.round(companded * 127.0) / 127.0
    expanded = np.sign(stepped) * np.expm1(np.abs(stepped) * np.log1p(MU)) / MU
    wide = np.asarray(soxr.resample(expanded, TELEPHONE_RATE, SAMPLING_RATE, quality="HQ"))
    return np.pad(wide, (0, max(0, len(waveform) - len(wide))))[: len(waveform)]
