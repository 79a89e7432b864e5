"""Decoding a whole recording once, block by block, to find what its header does not say. Torch-free."""

import math
import struct
from pathlib import Path
from typing import BinaryIO, Final

import attrs
import numpy as np
import soundfile

from vietmer_core.data.audio import END_TOLERANCE_SECONDS, AudioAccessError, open_audio
from vietmer_core.data.faults import Fault
from vietmer_core.data.silence import EqualSpan, EqualSpans
from vietmer_core.errors import DataError

BLOCK_SAMPLES: Final = 4096
"""Samples of one channel decoded at once: a usual block of FLAC, so that the end of a broken one is found closely."""

_RIFF_HEADER: Final = 12
_CHUNK_HEADER: Final = 8
_UNKNOWN_SIZES: Final = frozenset({0, 0x7FFFFFFF, 0xFFFFFFFF})
"""Sizes that a WAV written to a pipe carries; its end is then the end of the file."""
_OGG_TAIL_BYTES: Final = 2**16 + 512
_OGG_HEADER: Final = 27
_OGG_FLAGS_AT: Final = 5
_OGG_LAST_PAGE: Final = 4


@attrs.frozen(kw_only=True)
class RecordingCheck:
    """What decoding a recording found.

    Attributes:
        sampling_rate: Hz; 0 where the file cannot be opened.
        num_channels: Channels.
        num_samples: Samples of one channel that were decoded.
        silences: Spans in which every sample is equal.
        faults: What is wrong with it.
    """

    sampling_rate: int
    num_channels: int
    num_samples: int
    silences: tuple[EqualSpan, ...]
    faults: tuple[Fault, ...]


def check_recording(path: Path) -> RecordingCheck:
    """Decode a whole file in blocks of `BLOCK_SAMPLES`."""
    try:
        path.stat()
        with open_audio(path) as file:
            return _decode(path, file)
    except PermissionError:
        message = f"audio file `{path}` may not be reached."
        return _unusable(Fault(code="missing-file", field="wav_path", message=message, remedy="Check the permissions."))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return _unusable(_missing(path))
    except AudioAccessError as error:
        return _unusable(Fault(code="missing-file", field="wav_path", message=str(error)))
    except (DataError, OSError) as error:
        return _unusable(Fault(code="undecodable-file", field="wav_path", message=str(error)))


def _missing(path: Path) -> Fault:
    message = f"audio file `{path}` does not exist."
    slashed = Path(str(path).replace("\\", "/"))
    written_for_windows = slashed != path and slashed.exists()
    remedy = "Write `/` between folders." if written_for_windows else "Check `wav_path` and the audio root (`--root`)."
    return Fault(code="missing-file", field="wav_path", message=message, remedy=remedy)


def _unusable(fault: Fault) -> RecordingCheck:
    return RecordingCheck(sampling_rate=0, num_channels=0, num_samples=0, silences=(), faults=(fault,))


def _decode(path: Path, file: soundfile.SoundFile) -> RecordingCheck:
    rate = file.samplerate
    block = np.empty((BLOCK_SAMPLES, file.channels), dtype=np.float32)  # (samples, channels)
    decoded, is_finite, failed = 0, True, False
    silences = EqualSpans(rate)
    while True:
        try:
            frames = file.read(out=block)  # (samples, channels)
        except soundfile.SoundFileError:
            failed = True
            break
        decoded += len(frames)
        silences.add(frames)
        is_finite = is_finite and bool(np.isfinite(frames).all())
        if len(frames) < BLOCK_SAMPLES:
            break
    faults = []
    if not is_finite:
        message = f"audio file `{path}` holds samples that are NaN or infinite."
        faults.append(Fault(code="bad-samples", field="wav_path", message=message, remedy="Replace the file."))
    if fault := _length_fault(path, decoded=decoded, promised=file.frames, rate=rate, failed=failed):
        faults.append(fault)
    return RecordingCheck(
        sampling_rate=rate,
        num_channels=file.channels,
        num_samples=decoded,
        silences=silences.spans(),
        faults=tuple(faults),
    )


def _length_fault(path: Path, *, decoded: int, promised: int, rate: int, failed: bool) -> Fault | None:
    if not decoded:
        code = "undecodable-file" if failed else "truncated-file"
        reason = "cannot be decoded" if failed else "holds no sample"
    elif failed or decoded < promised - math.ceil(END_TOLERANCE_SECONDS * rate):
        code = "truncated-file"
        reason = f"can be decoded up to about {decoded / rate:.6g} s only, of {promised / rate:.6g} s"
    else:
        return _container_fault(path)
    message = f"audio file `{path}` {reason}."
    return Fault(code=code, field="wav_path", message=message, remedy="Replace the file.")


def _container_fault(path: Path) -> Fault | None:
    with path.open("rb") as stream:
        magic = stream.read(4)
        if magic == b"RIFF" and (missing := _missing_wav_bytes(stream)):
            message = f"audio file `{path}` is cut short: its header promises {missing} bytes more than it holds."
            return Fault(code="truncated-file", field="wav_path", message=message, remedy="Replace the file.")
        if magic == b"OggS" and not _has_last_ogg_page(stream):
            message = f"audio file `{path}` has no closing Ogg page, so it may be cut short."
            return Fault(
                code="unfinished-file", field="wav_path", message=message, remedy="Compare it with its source."
            )
    return None


def _missing_wav_bytes(stream: BinaryIO) -> int:
    """How many bytes of the data chunk lie past the end of the file; 0 where its size is unknown."""
    size = stream.seek(0, 2)
    place = _RIFF_HEADER
    while place + _CHUNK_HEADER <= size:
        stream.seek(place)
        name, length = struct.unpack("<4sI", stream.read(_CHUNK_HEADER))
        place += _CHUNK_HEADER + length + length % 2
        if name == b"data":
            held = size - (place - length - length % 2)
            return 0 if length in _UNKNOWN_SIZES else max(0, length - held)
    return 0


def _has_last_ogg_page(stream: BinaryIO) -> bool:
    """Whether an Ogg file ends with a whole page that carries the flag of the end (RFC 3533, section 6)."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _OGG_TAIL_BYTES))
    tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < _OGG_HEADER:
        return False
    num_segments = page[_OGG_HEADER - 1]
    held = len(page) - _OGG_HEADER - num_segments
    is_whole = held >= sum(page[_OGG_HEADER : _OGG_HEADER + num_segments])
    return is_whole and bool(page[_OGG_FLAGS_AT] & _OGG_LAST_PAGE)
