from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import welch

from vietmer_core.augment.noise import AddedNoise
from vietmer_core.augment.noise_colours import SLOPES, ColouredNoise
from vietmer_core.augment.noise_recordings import RecordedNoise
from vietmer_core.errors import DataError
from vietmer_core.spec_augmentation import Colour

Waveform = NDArray[np.float32]
Voice = Callable[..., Waveform]
RATE = 16_000


def snr_db(noisy: Waveform, clean: Waveform) -> float:
    """Measured on the result."""
    signal, noise = clean.astype(np.float64), noisy.astype(np.float64) - clean.astype(np.float64)
    return float(10 * np.log10(np.mean(signal**2) / np.mean(noise**2)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two long recordings in their own rates and one that is shorter than any utterance here."""
    numbers = np.random.default_rng(5)
    (tmp_path / "street").mkdir()
    soundfile.write(tmp_path / "street" / "cars.flac", 0.2 * numbers.standard_normal(5 * 22_050), 22_050)
    office = numbers.standard_normal((8 * 8000, 1)).repeat(2, axis=1)
    soundfile.write(tmp_path / "office.wav", 0.05 * office, 8000)
    soundfile.write(tmp_path / "click.wav", 0.01 * numbers.standard_normal(900), RATE)
    (tmp_path / "README.txt").write_text("not a recording")
    return tmp_path


@pytest.mark.parametrize("source", [*SLOPES, "folder"])
def test_the_ratio_is_what_was_asked_for(source: Colour, folder: Path, voice: Voice) -> None:
    noise = (
        RecordedNoise.in_folder(folder, sampling_rate=RATE)
        if source not in SLOPES
        else ColouredNoise(colour=source, sampling_rate=RATE)
    )

    @given(decibels=st.floats(-20, 60), seed=st.integers(0, 50), seconds=st.sampled_from([0.03, 0.4, 1.0]))
    def holds(decibels: float, seed: int, seconds: float) -> None:
        clean = voice(seconds, seed=seed % 3, level=0.05)
        noisy = AddedNoise(snr_db=(decibels, decibels), sources=(noise,))(clean, np.random.default_rng(seed))
        assert noisy.dtype == np.float32
        assert snr_db(noisy, clean) == pytest.approx(decibels, abs=0.01)

    holds()


def test_the_measurement_sees_a_ratio_taken_over_the_loud_parts_alone(voice: Voice) -> None:
    clean = np.concatenate([voice(0.5), np.zeros(RATE // 2, dtype=np.float32)])
    loud = clean[: RATE // 2].astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(len(clean))
    wrong = clean + noise * np.sqrt(np.mean(loud**2) / np.mean(noise**2)) * 10 ** (-10 / 20)
    assert snr_db(wrong.astype(np.float32), clean) == pytest.approx(10 - 3.01, abs=0.02)
    right = AddedNoise(snr_db=(10, 10), sources=(ColouredNoise(colour="white", sampling_rate=RATE),))
    assert snr_db(right(clean, np.random.default_rng(0)), clean) == pytest.approx(10, abs=0.01)


def test_ratios_are_drawn_evenly_between_their_bounds(voice: Voice) -> None:
    clean = voice(0.05)
    noise = AddedNoise(snr_db=(5.0, 25.0), sources=(ColouredNoise(colour="white", sampling_rate=RATE),))
    found = [snr_db(noise(clean, np.random.default_rng(seed)), clean) for seed in range(400)]
    assert 4.99 < min(found) < 5.5
    assert 24.5 < max(found) < 25.01
    assert abs(np.mean(found) - 15) < 1


@pytest.mark.parametrize(("colour", "octave_db"), [("white", 0.0), ("pink", -3.01), ("brown", -6.02)])
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_the_power_falls_as_the_colour_says(colour: Colour, octave_db: float, rate: int) -> None:
    noise = ColouredNoise(colour=colour, sampling_rate=rate)(60 * rate, np.random.default_rng(3))
    frequencies, power = welch(noise, fs=rate, nperseg=4096)
    heard = (frequencies > 50) & (frequencies < rate * 0.45)
    slope, _ = np.polyfit(np.log2(frequencies[heard]), 10 * np.log10(power[heard]), 1)
    assert slope == pytest.approx(octave_db, abs=0.1)


@pytest.mark.parametrize("colour", ["pink", "brown"])
def test_nothing_lies_where_nobody_hears(colour: Colour) -> None:
    noise = ColouredNoise(colour=colour, sampling_rate=RATE)(8 * RATE, np.random.default_rng(3))
    power = np.abs(np.fft.rfft(noise)) ** 2
    assert power[: 19 * 8].sum() < 1e-9 * power.sum()
    assert np.isfinite(noise).all()


@pytest.mark.parametrize("colour", list(SLOPES))
@pytest.mark.parametrize("length", [1, 2, 3, 17, 16_001])
def test_any_length_can_be_asked_for(colour: Colour, length: int) -> None:
    assert ColouredNoise(colour=colour, sampling_rate=RATE)(length, np.random.default_rng(0)).shape == (length,)


def numbered(folder: Path, num_samples: int) -> RecordedNoise:
    """One recording in which every sample says where it stands."""
    soundfile.write(folder / "ramp.wav", np.arange(num_samples) / 2**20, RATE, subtype="FLOAT")
    return RecordedNoise.in_folder(folder, sampling_rate=RATE)


def test_a_long_recording_is_cut_at_a_drawn_place(tmp_path: Path) -> None:
    noise, starts = numbered(tmp_path, 50_000), set()
    for seed in range(40):
        places = np.rint(noise(4000, np.random.default_rng(seed)) * 2**20).astype(int)
        np.testing.assert_array_equal(np.diff(places), 1)
        starts.add(int(places[0]))
    assert len(starts) == 40
    assert min(starts) < 6000
    assert max(starts) > 39_000


def test_a_short_recording_is_repeated_from_a_drawn_place(tmp_path: Path) -> None:
    noise, starts = numbered(tmp_path, 700), set()
    for seed in range(40):
        places = np.rint(noise(4000, np.random.default_rng(seed)) * 2**20).astype(int)
        np.testing.assert_array_equal(places, (places[0] + np.arange(4000)) % 700)
        starts.add(int(places[0]))
    assert len(starts) > 30


@pytest.mark.parametrize("length", [4000, 4001, 4160, 4300])
def test_a_recording_about_as_long_as_the_utterance_is_long_enough(tmp_path: Path, length: int) -> None:
    for num_samples in (4000, 4159, 4160, 4161, 4162):
        assert numbered(tmp_path, num_samples)(length, np.random.default_rng(1)).shape == (length,)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_never_leaves_a_sample_short(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(0).standard_normal(rate), rate, subtype="FLOAT")
    noise = RecordedNoise.in_folder(tmp_path, sampling_rate=RATE)
    for length in range(1, 200):
        assert noise(length, np.random.default_rng(length)).shape == (length,)


def test_every_recording_is_drawn_whatever_folder_it_lies_in(folder: Path) -> None:
    noise = RecordedNoise.in_folder(folder, sampling_rate=RATE)
    assert [recording.path.name for recording in noise.recordings] == ["click.wav", "office.wav", "cars.flac"]
    levels = [float(np.std(noise(3000, np.random.default_rng(seed)))) for seed in range(90)]
    for least, most in ((0.005, 0.02), (0.02, 0.08), (0.1, 0.3)):
        assert 15 < sum(least < level < most for level in levels) < 45


def test_a_silent_stretch_adds_nothing(tmp_path: Path, voice: Voice) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(5 * RATE), RATE)
    noise = AddedNoise(snr_db=(0, 0), sources=(RecordedNoise.in_folder(tmp_path, sampling_rate=RATE),))
    clean = voice(0.2)
    np.testing.assert_array_equal(noise(clean, np.random.default_rng(0)), clean)


def test_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"folder `.*/none` must exist and hold recordings of noise"):
        RecordedNoise.in_folder(tmp_path / "none", sampling_rate=RATE)
    with pytest.raises(DataError, match=r"must hold recordings of noise \(\.wav, .*\), but holds none"):
        RecordedNoise.in_folder(tmp_path, sampling_rate=RATE)
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"broken\.wav` cannot be decoded"):
        RecordedNoise.in_folder(tmp_path, sampling_rate=RATE)
    soundfile.write(tmp_path / "broken.wav", np.zeros(0), RATE)
    with pytest.raises(DataError, match=r"broken\.wav` must hold noise, but holds no sample"):
        RecordedNoise.in_folder(tmp_path, sampling_rate=RATE)
