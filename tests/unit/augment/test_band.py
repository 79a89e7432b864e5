import numpy as np
import pytest

from vietmer_core.augment.band import Band

RATE = 16_000


def passed_db(band: Band, hertz: float, rate: int) -> float:
    """The gain at one frequency, measured on a tone that has long begun, dB."""
    tone = np.sin(2 * np.pi * hertz * np.arange(4 * rate) / rate).astype(np.float32)
    tail = slice(2 * rate, None)  # whole periods of every whole frequency
    through = band(tone, np.random.default_rng(0))[tail].astype(np.float64)
    return float(10 * np.log10(np.mean(through**2) / np.mean(tone[tail].astype(np.float64) ** 2)))


def butterworth_db(hertz: float, lowest: float, highest: float, order: int, rate: int) -> float:
    """The gain of a Butterworth band-pass made by the bilinear transform, from its formula, dB."""
    low, high, here = (np.tan(np.pi * frequency / rate) for frequency in (lowest, highest, hertz))
    detuning = (here**2 - low * high) / (here * (high - low))
    return float(-10 * np.log10(1 + detuning ** (2 * order)))


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
@pytest.mark.parametrize("order", [2, 4, 6])
@pytest.mark.parametrize("hertz", [100, 300, 1000, 3400, 3900])
def test_the_response_is_that_of_the_formula(hertz: float, order: int, rate: int) -> None:
    band = Band.between(300, 3400, order=order, sampling_rate=rate)
    expected = butterworth_db(hertz, 300, 3400, order, rate)
    assert passed_db(band, hertz, rate) == pytest.approx(expected, abs=0.02 if expected > -60 else 0.5)


def test_a_telephone_line_is_heard() -> None:
    band = Band.between(300, 3400, order=4, sampling_rate=RATE)
    assert passed_db(band, 100, RATE) < -37
    assert abs(passed_db(band, 1000, RATE)) < 0.01
    assert passed_db(band, 300, RATE) == pytest.approx(-3.01, abs=0.02)
    assert passed_db(band, 3400, RATE) == pytest.approx(-3.01, abs=0.02)
    assert passed_db(band, 3900, RATE) < -8
    assert passed_db(band, 7000, RATE) < -60


def test_the_length_stays_and_speech_is_late_by_less_than_a_millisecond() -> None:
    band = Band.between(300, 3400, order=4, sampling_rate=RATE)
    click = np.zeros(2000, dtype=np.float32)
    click[500] = 1
    through = band(click, np.random.default_rng(0))
    assert through.dtype == np.float32
    assert len(through) == len(click)
    assert not through[:500].any(), "nothing comes before its cause"
    assert 0 <= int(np.argmax(np.abs(through))) - 500 < 16
