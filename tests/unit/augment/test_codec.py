from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from vietmer_core.augment.codec import SUBTYPES, TelephoneCodec, round_trip
from vietmer_core.spec_augmentation import Codec

Waveform = NDArray[np.float32]
Voice = Callable[..., Waveform]
RATE = 16_000

# ITU-T G.711, tables 1a and 2a: (intervals, their width) of each segment, from 0 up, in the codec's own units
A_LAW = ([(32, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128)], 8)
MU_LAW = ([(1, 1), (15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)], 4)


def by_table(samples: NDArray[np.int64], segments: Sequence[tuple[int, int]], unit: int) -> NDArray[np.float64]:
    """What a G.711 decoder gives of 16-bit samples: the level of the interval that holds the magnitude."""
    widths = np.repeat([width for _, width in segments], [count for count, _ in segments])
    decisions = np.concatenate([[0], np.cumsum(widths)])  # 129 values
    levels = (decisions[:-1] + decisions[1:]) / 2
    if segments[0] == (1, 1):
        levels[0] = 0
    intervals = np.clip(np.searchsorted(decisions, np.abs(samples) / unit, side="right") - 1, 0, 127)
    return np.asarray(np.sign(samples) * levels[intervals] * unit, dtype=np.float64)


@pytest.mark.parametrize(("codec", "table"), [("g711_mulaw", MU_LAW), ("g711_alaw", A_LAW)])
def test_every_16_bit_sample_comes_back_as_the_tables_of_g711_say(
    codec: Codec, table: tuple[Sequence[tuple[int, int]], int]
) -> None:
    samples = np.arange(-32_768, 32_768)
    decoded = round_trip((samples / 32_768).astype(np.float32), codec) * 32_768
    heard = samples != 0  # A-law has no zero: which of its two least levels stands for it is a convention
    np.testing.assert_array_equal(decoded[heard], by_table(samples, *table)[heard])
    assert abs(decoded[~heard][0]) == (8 if codec == "g711_alaw" else 0)
    assert len(np.unique(decoded)) == (256 if codec == "g711_alaw" else 255)


def test_what_lies_between_two_samples_of_16_bit_becomes_the_nearer_one() -> None:
    between = np.array([3.4, 3.6, -3.4, -3.6, 40.6], dtype=np.float32) / np.float32(32_768)
    decoded = round_trip(between, "g711_mulaw") * 32_768
    assert np.abs(decoded).tolist() == [0, 8, 0, 8, 40]  # intervals of 16-bit samples: 0 to 3, 4 to 11, …, 36 to 43
    assert round_trip(np.array([43.6], dtype=np.float32) / np.float32(32_768), "g711_mulaw")[0] * 32_768 == 48


def test_the_two_laws_are_not_taken_for_each_other() -> None:
    samples = np.arange(-32_768, 32_768)
    assert np.mean(by_table(samples, *A_LAW) != by_table(samples, *MU_LAW)) > 0.9


@pytest.mark.parametrize("codec", ["g711_mulaw", "g711_alaw"])
def test_what_passes_full_scale_is_clipped(codec: Codec) -> None:
    loud = np.array([-3.0, -1.0, 1.0, 3.0], dtype=np.float32)
    first, second, third, fourth = round_trip(loud, codec)
    assert first == second == -third == -fourth
    assert third > 0.97


@pytest.mark.parametrize("length", [1, 159, 160, 161, 8000])
def test_gsm_codes_blocks_of_20_ms_without_looking_ahead(voice: Voice, length: int) -> None:
    waveform = voice(1.0, rate=8000)[:length]
    decoded = round_trip(waveform, "gsm")
    assert len(decoded) == length
    for cut in range(160, length, 800):
        changed = waveform.copy()
        changed[cut:] = -changed[cut:]
        again = round_trip(changed, "gsm")
        np.testing.assert_array_equal(again[:cut], decoded[:cut])
        assert (again[cut : cut + 160] != decoded[cut : cut + 160]).any()


@pytest.mark.parametrize("seed", range(3))
def test_gsm_keeps_the_energy_and_most_of_the_waveform(voice: Voice, seed: int) -> None:
    waveform = voice(2.0, rate=8000, seed=seed).astype(np.float64)
    decoded = round_trip(waveform.astype(np.float32), "gsm").astype(np.float64)
    energy_db = 10 * np.log10(np.mean(decoded**2) / np.mean(waveform**2))
    ratio_db = 10 * np.log10(np.mean(waveform**2) / np.mean((decoded - waveform) ** 2))
    assert abs(energy_db) < 1
    assert 5 < ratio_db < 25, "a codec of 13 kbit/s is heard"


def delay_of(late: Waveform, waveform: Waveform) -> float:
    """By how many samples one is later than the other: the peak of their cross-correlation, between samples."""
    size = 2 * max(len(late), len(waveform))
    spectrum = np.fft.rfft(late, size) * np.conj(np.fft.rfft(waveform, size))
    correlation = np.fft.irfft(spectrum, size)
    peak = int(np.argmax(correlation))
    before, here, after = (correlation[(peak + step) % size] for step in (-1, 0, 1))
    place = peak + (before - after) / (before - 2 * here + after) / 2
    return float(place - size if place > size / 2 else place)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("codec", list(SUBTYPES))
def test_what_comes_back_is_as_long_as_before_and_in_time_with_it(
    voice: Voice, numbers: np.random.Generator, codec: Codec, rate: int
) -> None:
    for length in (rate, rate + 1, rate + 7):
        waveform = voice(1.5, rate=rate)[:length]
        coded = TelephoneCodec(codecs=(codec,), sampling_rate=rate)(waveform, numbers)
        assert coded.dtype == np.float32
        assert len(coded) == length
        assert abs(delay_of(coded, waveform)) < 0.25 * rate / 8000
        assert abs(delay_of(np.roll(coded, -(-rate // 8000)), waveform)) > 0.75 * rate / 8000, (
            "a sample late is noticed"
        )


@pytest.mark.parametrize("length", [1, 2, 3, 17])
def test_a_few_samples_come_back_as_a_few_samples(length: int, numbers: np.random.Generator) -> None:
    for codec in SUBTYPES:
        waveform = np.full(length, 0.25, dtype=np.float32)
        assert len(TelephoneCodec(codecs=(codec,), sampling_rate=RATE)(waveform, numbers)) == length


def test_nothing_is_left_above_4_khz(voice: Voice, numbers: np.random.Generator) -> None:
    waveform = voice(2.0) + 0.05 * numbers.standard_normal(2 * RATE).astype(np.float32)

    def share_above(samples: Waveform, hertz: float) -> float:
        power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
        return float(power[int(hertz / RATE * len(samples)) :].sum() / power.sum())

    assert share_above(waveform, 4100) > 0.01
    for codec in SUBTYPES:
        coded = TelephoneCodec(codecs=(codec,), sampling_rate=RATE)(waveform, numbers)
        assert share_above(coded, 4100) < 1e-5


def test_every_codec_of_the_list_is_drawn(voice: Voice) -> None:
    waveform = voice(0.2)
    alone = {codec: TelephoneCodec(codecs=(codec,), sampling_rate=RATE) for codec in SUBTYPES}
    drawn = TelephoneCodec(codecs=tuple(SUBTYPES), sampling_rate=RATE)
    results = {codec: one(waveform, np.random.default_rng(0)).tobytes() for codec, one in alone.items()}
    counts = dict.fromkeys(SUBTYPES, 0)
    for seed in range(300):
        found = drawn(waveform, np.random.default_rng(seed)).tobytes()
        counts[next(codec for codec, result in results.items() if result == found)] += 1
    assert min(counts.values()) > 70
