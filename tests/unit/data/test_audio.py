from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.data.audio import SegmentError, audio_info, read_segment
from vietmer_core.errors import DataError

FORMATS = {
    "a.wav": (44_100, {}),
    "ulaw.wav": (8_000, {"subtype": "ULAW"}),
    "a.flac": (22_050, {}),
    "vorbis.ogg": (16_000, {"subtype": "VORBIS"}),
    "a.opus": (48_000, {"format": "OGG", "subtype": "OPUS"}),
    "a.mp3": (44_100, {}),
}


@pytest.fixture(scope="module")
def ramp_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, int]]:
    """Half a second of samples that are all different, as WAV and FLAC at odd rates."""
    folder = tmp_path_factory.mktemp("ramps")
    made = {}
    for name, rate in (("a.wav", 11_025), ("a.flac", 22_050)):
        samples = np.linspace(-0.9, 0.9, rate // 2, dtype=np.float32)
        soundfile.write(folder / name, samples, rate)
        made[name] = (folder / name, rate)
    return made


@given(name=st.sampled_from(["a.wav", "a.flac"]), start=st.floats(0, 0.4), seconds=st.floats(0.001, 0.15))
def test_a_segment_is_a_slice_of_the_whole_file(
    ramp_files: dict[str, tuple[Path, int]], name: str, start: float, seconds: float
) -> None:
    path, rate = ramp_files[name]
    whole, _ = soundfile.read(path, dtype="float32")
    segment = read_segment(path, start=start, end=start + seconds, channel="mono", sampling_rate=rate)
    first, stop = int(start * rate + 0.5), min(int((start + seconds) * rate + 0.5), len(whole))
    assert segment.dtype == np.float32
    assert np.array_equal(segment, whole[first:stop])
    assert not np.array_equal(segment, whole[first + 1 : stop + 1])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_in_segments_and_resampled(write_audio: Callable[..., Path], name: str) -> None:
    rate, options = FORMATS[name]
    path = write_audio(name, seconds=1.5, sampling_rate=rate, **options)
    info = audio_info(path)
    assert (info.sampling_rate, info.num_channels) == (rate, 1)
    assert info.duration == pytest.approx(1.5, abs=0.1)
    segment = read_segment(path, start=0.25, end=0.75, channel="mono", sampling_rate=16_000)
    assert segment.shape == (8_000,)
    native = soundfile.read(path, dtype="float32")[0][int(0.25 * rate + 0.5) : int(0.75 * rate + 0.5)]
    expected = native if rate == 16_000 else soxr.resample(native, rate, 16_000, quality="HQ")
    assert np.abs(segment - expected).max() < 1e-4


def test_open_bounds_mean_the_whole_file(write_audio: Callable[..., Path]) -> None:
    path = write_audio("a.wav", seconds=1, sampling_rate=8_000)
    whole = read_segment(path, start=None, end=None, channel="mono", sampling_rate=8_000)
    assert len(whole) == 8_000
    tail = read_segment(path, start=0.75, end=None, channel="mono", sampling_rate=8_000)
    assert np.array_equal(tail, whole[6_000:])


def test_only_the_segment_is_decoded(write_audio: Callable[..., Path]) -> None:
    path = write_audio("a.flac", seconds=4)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert len(read_segment(path, start=0, end=1, channel="mono", sampling_rate=16_000)) == 16_000
    with pytest.raises(DataError, match=r"a.flac` (cannot be decoded|is cut short)"):
        read_segment(path, start=3, end=4, channel="mono", sampling_rate=16_000)


def test_an_end_within_the_tolerance_is_the_end_of_the_file(write_audio: Callable[..., Path]) -> None:
    path = write_audio("a.wav", seconds=2)
    for end in (2.00004, 2.0499):
        assert len(read_segment(path, start=1, end=end, channel="mono", sampling_rate=16_000)) == 16_000
    with pytest.raises(SegmentError, match=r"ends at 2.051 s, but `.*a.wav` lasts only 2 s") as error:
        read_segment(path, start=1, end=2.051, channel="mono", sampling_rate=16_000)
    assert (error.value.field, error.value.code) == ("end", "past-the-end")


@pytest.mark.parametrize(
    ("start", "end", "field", "code"),
    [(2.0, 2.04, "start", "past-the-end"), (5, 6, "start", "past-the-end"), (1.0, 1.00001, "end", "end-before-start")],
)
def test_a_segment_that_holds_nothing_is_refused(
    write_audio: Callable[..., Path], start: float, end: float, field: str, code: str
) -> None:
    path = write_audio("a.wav", seconds=2)
    with pytest.raises(SegmentError) as error:
        read_segment(path, start=start, end=end, channel="mono", sampling_rate=16_000)
    assert (error.value.field, error.value.code) == (field, code)


def test_channels_are_chosen_or_mixed(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    left, right = np.full(800, 0.5, dtype=np.float32), np.full(800, -0.25, dtype=np.float32)
    soundfile.write(path, np.stack([left, right], axis=1), 8_000)

    def read(channel: str | int) -> float:
        samples = read_segment(path, start=None, end=None, channel=channel, sampling_rate=8_000)  # type: ignore[arg-type]
        assert samples.shape == (800,)
        assert samples.flags.c_contiguous
        return float(samples[400])

    assert (read(0), read(1), read("mix")) == (0.5, -0.25, 0.125)
    with pytest.raises(DataError, match=r"has 2 channels, but `channel` is `mono`. Set `channel` to `mix`"):
        read("mono")
    with pytest.raises(DataError, match=r"has no channel 2: it has 2. Set `channel` to a number from 0 to 1"):
        read(2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused_where_they_are(tmp_path: Path, value: float) -> None:
    samples = np.zeros(8_000, dtype=np.float32)
    samples[6_000] = value
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 8_000, subtype="FLOAT")
    assert len(read_segment(path, start=0, end=0.5, channel="mono", sampling_rate=8_000)) == 4_000
    with pytest.raises(DataError, match=r"NaN or infinite at 0.75 s"):
        read_segment(path, start=0.5, end=1, channel="mono", sampling_rate=8_000)


def test_files_that_are_no_audio_give_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "junk.wav").write_bytes(b"nothing to hear")
    (tmp_path / "a.raw").write_bytes(b"\0" * 64)
    expected = {"none.wav": "does not exist", ".": "is a folder", "junk.wav": "cannot be", "a.raw": "cannot be"}
    for name, reason in expected.items():
        for read in (audio_info, lambda path: read_segment(path, start=0, end=1, channel="mono", sampling_rate=8_000)):
            with pytest.raises(DataError, match=reason) as error:
                read(tmp_path / name)
            assert str(tmp_path / name) in str(error.value)
