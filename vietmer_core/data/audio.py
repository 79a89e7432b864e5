"""Reading one segment of a recording at the rate a frontend wants. Torch-free.

Frame arithmetic: a segment from `start` to `end` seconds of a file at rate r is its frames ⌊start·r + ½⌋ up to, but not
including, ⌊end·r + ½⌋. Manifests round their times, so an `end` up to `END_TOLERANCE_SECONDS` past the end of the file
is taken as the end of the file; further out is an error.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import attrs
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from vietmer_core.errors import DataError

END_TOLERANCE_SECONDS: Final = 0.05
"""How far `end` may lie past the end of the file: half of the last digit of a time written with one decimal."""

RESAMPLING_QUALITY: Final = "HQ"
"""Quality of soxr: 20 bit, well beyond the 16 bit of telephone and studio corpora."""

Channel = Literal["mono", "mix"] | int
"""`mono`: the file must have one channel; `mix`: the mean of all; a number: that channel, from 0."""


@attrs.frozen(kw_only=True)
class AudioInfo:
    """What the header of an audio file says.

    Attributes:
        sampling_rate: Hz.
        num_channels: Channels.
        num_samples: Samples of one channel.
        duration: s.
        format: Container and coding, such as `WAV ULAW` or `FLAC PCM_16`.
    """

    sampling_rate: int
    num_channels: int
    num_samples: int
    duration: float
    format: str


class AudioAccessError(DataError):
    """An audio file that does not exist or may not be read."""


@contextmanager
def open_audio(path: Path | str) -> Iterator[soundfile.SoundFile]:
    """An open audio file; whatever the decoder raises inside becomes a sentence that names the file.

    Raises:
        AudioAccessError: where the file is missing or may not be read.
        DataError: where it is a folder or cannot be decoded.
    """
    path = Path(path)
    try:
        with path.open("rb"):
            pass
        with soundfile.SoundFile(path) as file:
            yield file
    except FileNotFoundError:
        raise AudioAccessError(f"audio file `{path}` does not exist. Check `wav_path` and the audio root.") from None
    except IsADirectoryError:
        raise DataError(f"audio file `{path}` is a folder. Name the file in it.") from None
    except PermissionError:
        raise AudioAccessError(f"audio file `{path}` may not be read. Check its permissions.") from None
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:
        raise DataError(f"audio file `{path}` cannot be decoded{_reason(error)}. Replace or convert it.") from None


def _reason(error: Exception) -> str:
    text = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
    return f": {text.strip().rstrip('.')}" if text else ""


def audio_info(path: Path | str) -> AudioInfo:
    """What the header of an audio file says; nothing is decoded.

    Raises:
        DataError: where the file is missing or no audio file.
    """
    with open_audio(path) as file:
        return AudioInfo(
            sampling_rate=file.samplerate,
            num_channels=file.channels,
            num_samples=file.frames,
            duration=file.frames / file.samplerate,
            format=f"{file.format} {file.subtype}",
        )


class SegmentError(DataError):
    """A segment that its recording does not hold: the sentence, and the bound at fault.

    Attributes:
        field: `start` or `end`.
        code: `past-the-end` or `end-before-start`, a key of `FAULT_CODES`.
    """

    def __init__(self, message: str, *, field: str, code: str) -> None:
        super().__init__(message)
        self.field: Final = field
        self.code: Final = code


def frame_bounds(
    path: Path | str, *, start: float | None, end: float | None, sampling_rate: int, num_samples: int
) -> tuple[int, int]:
    """First frame of a segment and the frame after its last, clamped within the tolerance.

    Raises:
        SegmentError: where the segment is empty or lies past the end of the file.
    """
    duration = num_samples / sampling_rate
    first = 0 if start is None else math.floor(start * sampling_rate + 0.5)
    stop = num_samples if end is None else min(math.floor(end * sampling_rate + 0.5), num_samples)
    if first >= num_samples:
        raise SegmentError(_past_the_end(path, "starts", start or 0.0, duration), field="start", code="past-the-end")
    if end is not None and end > duration + END_TOLERANCE_SECONDS:
        raise SegmentError(_past_the_end(path, "ends", end, duration), field="end", code="past-the-end")
    if stop <= first:
        span = f"from {start or 0.0:.6g} s to {duration if end is None else end:.6g} s"
        message = f"the segment of `{path}` {span} holds no sample at {sampling_rate} Hz. Check `start` and `end`."
        raise SegmentError(message, field="end", code="end-before-start")
    return first, stop


def _past_the_end(path: Path | str, verb: str, time: float, duration: float) -> str:
    remedy = "Check `start` and `end` (seconds from the start of the recording)."
    return f"the segment {verb} at {time:.6g} s, but `{path}` lasts only {duration:.6g} s. {remedy}"


def read_segment(
    path: Path | str, *, start: float | None, end: float | None, channel: Channel, sampling_rate: int
) -> NDArray[np.float32]:
    """The samples `(samples,)` float32 of one segment at `sampling_rate`; only the segment is read and decoded.

    Args:
        path: A file of any format and rate that libsndfile reads.
        start: Begin, s; None is the beginning of the file.
        end: End, s; None is the end of the file.
        channel: `mono`, `mix` or the number of a channel from 0.
        sampling_rate: Rate wanted, Hz; another rate of the file is resampled with soxr.

    Raises:
        DataError: a missing or undecodable file, a segment past its end or empty, a channel that the file does not
            have, several channels under `mono`, NaN or infinite samples. The sentence names the file.
    """
    with open_audio(path) as file:
        rate = file.samplerate
        _check_channel(path, channel, file.channels)
        first, stop = frame_bounds(path, start=start, end=end, sampling_rate=rate, num_samples=file.frames)
        file.seek(first)
        frames = file.read(stop - first, dtype="float32", always_2d=True)  # (samples, channels)
    if len(frames) < stop - first:
        found = (first + len(frames)) / rate
        raise DataError(f"audio file `{path}` is cut short: decoding stopped at {found:.6g} s. Replace it.")
    samples = _choose_channel(frames, channel)  # (samples,)
    if not np.isfinite(samples).all():
        time = (first + int(np.argmin(np.isfinite(samples)))) / rate
        raise DataError(f"audio file `{path}` holds a sample that is NaN or infinite at {time:.6g} s. Replace it.")
    if rate == sampling_rate:
        return samples
    resampled: NDArray[np.float32] = soxr.resample(samples, rate, sampling_rate, quality=RESAMPLING_QUALITY)
    return resampled


def _check_channel(path: Path | str, channel: Channel, num_channels: int) -> None:
    if channel == "mono" and num_channels != 1:
        remedy = "Set `channel` to `mix` (the mean of all) or to the number of one, from 0."
        raise DataError(f"audio file `{path}` has {num_channels} channels, but `channel` is `mono`. {remedy}")
    if isinstance(channel, int) and not 0 <= channel < num_channels:
        remedy = f"Set `channel` to a number from 0 to {num_channels - 1}."
        raise DataError(f"audio file `{path}` has no channel {channel}: it has {num_channels}. {remedy}")


def _choose_channel(frames: NDArray[np.float32], channel: Channel) -> NDArray[np.float32]:
    if channel == "mix" and frames.shape[1] > 1:
        channels = np.ascontiguousarray(frames.T)  # (channels, samples): a mean over rows is ten times as fast
        mean: NDArray[np.float32] = channels.mean(axis=0, dtype=np.float32)
        return mean
    index = channel if isinstance(channel, int) else 0
    return np.ascontiguousarray(frames[:, index])
