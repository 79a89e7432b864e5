from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.augment.gain import Gain
from vietmer_core.augment.speed import Speed

Voice = Callable[..., NDArray[np.float32]]
RATE = 16_000


@given(decibels=st.floats(-60, 60), seed=st.integers(0, 9))
def test_a_gain_is_exact_and_clips_at_full_scale(decibels: float, seed: int) -> None:
    waveform = np.linspace(-0.9, 0.9, 181, dtype=np.float32)
    louder = Gain(gain_db=(decibels, decibels))(waveform, np.random.default_rng(seed))
    exact = waveform.astype(np.float64) * 10 ** (decibels / 20)
    inside = np.abs(exact) < 1
    np.testing.assert_allclose(louder[inside], exact[inside], rtol=1e-7, atol=0)
    np.testing.assert_array_equal(louder[~inside], np.sign(exact[~inside]))
    assert louder.dtype == np.float32


def test_gains_are_drawn_evenly_between_their_bounds(voice: Voice) -> None:
    waveform = voice(0.05, level=0.01)
    gain = Gain(gain_db=(-6.0, 2.0))
    found = []
    for seed in range(400):
        louder = gain(waveform, np.random.default_rng(seed))
        found.append(10 * np.log10(np.mean(louder.astype(float) ** 2) / np.mean(waveform.astype(float) ** 2)))
    assert -6.01 < min(found) < -5.8
    assert 1.8 < max(found) < 2.01
    assert abs(np.mean(found) + 2) < 0.5


def pitch_of(waveform: NDArray[np.float32]) -> float:
    """The frequency of a tone, Hz, from its phase at two places."""
    half = len(waveform) // 2
    window = np.hanning(half)
    spectra = [np.fft.rfft(part * window, 8 * half) for part in (waveform[:half], waveform[half : 2 * half])]
    coarse = int(np.argmax(np.abs(spectra[0]))) * RATE / (8 * half)
    turns = np.angle(spectra[1][np.argmax(np.abs(spectra[0]))] / spectra[0][np.argmax(np.abs(spectra[0]))]) / 2 / np.pi
    whole = np.round(coarse * half / RATE - turns)
    return float((whole + turns) * RATE / half)


@given(factor=st.floats(0.5, 2), hertz=st.floats(200, 1500))
def test_speed_changes_duration_and_pitch_together(factor: float, hertz: float) -> None:
    tone = (0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)
    faster = Speed(factor=(factor, factor))(tone, np.random.default_rng(0))
    assert abs(len(faster) - len(tone) / factor) <= 1
    assert faster.dtype == np.float32
    middle = faster[len(faster) // 8 : -len(faster) // 8]  # away from the edges of the resampling filter
    assert pitch_of(middle) == pytest.approx(hertz * factor, rel=2e-4)
    assert np.sqrt(2 * np.mean(middle.astype(float) ** 2)) == pytest.approx(0.3, rel=0.02)


def test_the_pitch_is_measured_to_less_than_a_factor_of_speed_that_matters() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    assert pitch_of(tone) == pytest.approx(440, rel=1e-5)
    assert pitch_of(tone) != pytest.approx(440 * 1.001, rel=2e-4)


def test_a_factor_of_one_changes_nothing_that_can_be_heard(voice: Voice) -> None:
    waveform = voice(0.3)
    same = Speed(factor=(1.0, 1.0))(waveform, np.random.default_rng(0))
    np.testing.assert_allclose(same, waveform, atol=1e-6)
