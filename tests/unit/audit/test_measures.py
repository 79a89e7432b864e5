from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from vietmer_core.audit.measures import LOWEST_DECIBELS, is_silent, measure

Waveform = NDArray[np.float32]
RATE = 16_000


def tone(amplitude: float, frequency: float = 440.0) -> Waveform:
    wave: Waveform = (amplitude * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)).astype(np.float32)
    return wave


def test_a_tone_has_its_level_and_bandwidth() -> None:
    found = measure(tone(0.5), RATE)
    assert found.loudness == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    assert found.peak == pytest.approx(-6.02, abs=0.01)
    assert found.bandwidth == pytest.approx(440, abs=40)
    assert measure(tone(0.5, 3000.0), RATE).bandwidth == pytest.approx(3000, abs=40)
    assert (found.silence, found.clipped) == (0, 0)


def test_gain_moves_every_level_and_nothing_else() -> None:
    one, other = measure(tone(0.5), RATE), measure(tone(0.05), RATE)
    for name in ("loudness", "peak", "floor"):
        assert getattr(one, name) - getattr(other, name) == pytest.approx(20, abs=0.01)
    assert one.bandwidth == other.bandwidth


def test_silence_is_a_share_of_the_frames() -> None:
    waveform = np.concatenate([tone(0.3), np.zeros(3 * RATE, dtype=np.float32)])
    assert measure(waveform, RATE).silence == pytest.approx(0.75, abs=0.02)


def test_samples_that_are_all_equal_are_silent() -> None:
    assert is_silent(np.full(100, 0.25, dtype=np.float32))
    assert not is_silent(tone(0.001))
    assert measure(np.zeros(100, dtype=np.float32), RATE).loudness == LOWEST_DECIBELS


def test_a_plateau_at_the_peak_is_clipping_and_quiet_steps_are_not() -> None:
    assert measure(np.clip(tone(3.0), -1, 1).astype(np.float32), RATE).clipped > 0.5
    assert measure((np.clip(tone(3.0), -1, 1) * 0.5).astype(np.float32), RATE).clipped > 0.5
    steps = (np.round(tone(1.0) * 2) / 2**15).astype(np.float32)
    assert measure(steps, RATE).clipped == 0


def test_speech_up_to_an_edge_is_cut_there(speech: Callable[..., Waveform]) -> None:
    whole = measure(speech(1), RATE)
    assert (whole.cut_start, whole.cut_end) == (False, False)
    loud = np.concatenate([speech(1), tone(0.3)[:4000]])
    assert (measure(loud, RATE).cut_start, measure(loud, RATE).cut_end) == (False, True)
    assert measure(loud[::-1].copy(), RATE).cut_start


@pytest.mark.parametrize("length", [1, 2, 50, 321])
def test_a_waveform_of_any_length_is_measured(length: int) -> None:
    found = measure(tone(0.4, 2000.0)[1 : length + 1], RATE)
    assert np.isfinite([found.loudness, found.peak, found.floor, found.bandwidth, found.silence, found.clipped]).all()
