from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.audit.fingerprints import HOP, LAG, RATE, WINDOW, Fingerprint, fingerprint
from vietmer_core.audit.matching import MAX_BIT_ERROR_RATE

Waveform = NDArray[np.float32]
Speech = Callable[..., Waveform]
Change = Callable[[Waveform], Waveform]


def g711(samples: Waveform) -> Waveform:
    companded = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256)
    coded = np.round(companded * 127) / 127
    decoded: Waveform = (np.sign(coded) * (256 ** np.abs(coded) - 1) / 255).astype(np.float32)
    return decoded


def through(rate: int) -> Change:
    def change(samples: Waveform) -> Waveform:
        back: Waveform = soxr.resample(soxr.resample(samples, 16_000, rate), rate, 16_000)
        return back

    return change


def at_8k(samples: Waveform) -> Waveform:
    resampled: Waveform = soxr.resample(samples, 16_000, RATE, quality="HQ")
    return resampled


def error_rate(one: Fingerprint, other: Fingerprint) -> float:
    """The least share of differing bits over small offsets, where both are loud."""
    rates = []
    for offset in range(-8, 9):
        first, second = max(0, offset), max(0, -offset)
        length = min(len(one.bits) - first, len(other.bits) - second)
        loud = one.active[first : first + length] & other.active[second : second + length]
        differing = one.bits[first : first + length][loud] ^ other.bits[second : second + length][loud]
        rates.append(sum(int(value).bit_count() for value in differing) / (32 * max(1, int(loud.sum()))))
    return min(rates)


def test_the_number_of_frames_follows_the_formula(speech: Speech) -> None:
    for length in (0, WINDOW - 1, WINDOW + (LAG - 1) * HOP, WINDOW + LAG * HOP, 16_001):
        found = fingerprint(speech(1, seconds=3)[:length])
        assert len(found.bits) == len(found.active) == max(0, (length - WINDOW) // HOP + 1 - LAG)


CHANGES: dict[str, Change] = {
    "quieter by 20 dB, at 16 bits": lambda x: (np.round(x * 0.1 * 2**15) / 2**15).astype(np.float32),
    "louder, clipped": lambda x: np.clip(x * 4, -1, 1).astype(np.float32),
    "through 8 kHz": through(8000),
    "through 44.1 kHz": through(44_100),
    "G.711": lambda x: g711(through(8000)(x)),
    "50 ms trimmed from both ends": lambda x: x[800:-800],
    "half a hop trimmed": lambda x: x[128:],
    "trimmed, then G.711": lambda x: g711(through(8000)(x[900:])),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_copy_keeps_its_bits(speech: Speech, change: Change) -> None:
    for seed in range(3):
        original = speech(seed)
        assert error_rate(fingerprint(at_8k(original)), fingerprint(at_8k(change(original)))) < MAX_BIT_ERROR_RATE / 2


def test_other_speech_has_other_bits(speech: Speech) -> None:
    prints = [fingerprint(at_8k(speech(seed))) for seed in range(8)]
    rates = [error_rate(prints[one], prints[other]) for one in range(8) for other in range(one)]
    assert min(rates) > 1.4 * MAX_BIT_ERROR_RATE


def check_gain(make: Callable[[Waveform], Fingerprint], waveform: Waveform) -> None:
    whole = make(waveform)

    @given(decibels=st.floats(-60, 20))
    def holds(decibels: float) -> None:
        changed = make(waveform * np.float32(10 ** (decibels / 20)))
        assert error_rate(whole, changed) < 0.01
        assert (whole.active == changed.active).mean() > 0.98

    holds()


def test_gain_changes_no_bit(speech: Speech) -> None:
    check_gain(fingerprint, at_8k(speech(5)))


def test_a_fingerprint_of_absolute_levels_fails_that_property(speech: Speech) -> None:
    def absolute(samples: Waveform) -> Fingerprint:
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
        power = np.abs(np.fft.rfft(frames, axis=1))[:, 80:112]
        weights: Any = np.uint32(1) << np.arange(32, dtype=np.uint32)
        bits = ((power > 1.0) * weights).sum(axis=1, dtype=np.uint32)
        return Fingerprint(bits=bits, active=np.ones(len(bits), dtype=np.bool_))

    with pytest.raises(AssertionError):
        check_gain(absolute, at_8k(speech(5)))
