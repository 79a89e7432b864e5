"""Segments as files of their own, without a change of any sample. Torch-free.

A segment that is its whole recording is copied byte for byte. One of a recording that stores samples as they are (PCM,
float, G.711; WAV, FLAC, AIFF) becomes a file of the same coding with the same samples. One of a lossy recording (Ogg,
MP3, ADPCM, GSM) becomes 32-bit float WAV of what is decoded, since coding it again would change it.
"""

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

import soundfile

from vietmer_core.data.audio import frame_bounds, open_audio
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError
from vietmer_core.files import write_atomically

_EXACT: Final[Mapping[str, str]] = {
    "PCM_S8": "int16",
    "PCM_U8": "int16",
    "PCM_16": "int16",
    "PCM_24": "int32",
    "PCM_32": "int32",
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "ULAW": "int16",
    "ALAW": "int16",
}
"""Codings whose samples come back the same, and the numbers that hold them."""

_SUFFIXES: Final[Mapping[str, str]] = {"WAV": ".wav", "FLAC": ".flac"}


def write_segment(utterance: Utterance, target: Path) -> Path:
    """Write the segment of an utterance into a file.

    Args:
        utterance: One with audio.
        target: The file, without a suffix; the coding gives that.

    Returns:
        The file that was written.

    Raises:
        DataError: where the recording is missing, cannot be decoded or does not hold the segment.
        RunError: if the folder cannot be written.
    """
    assert utterance.wav_path is not None
    path = Path(utterance.wav_path)
    with open_audio(path) as file:
        first, stop = frame_bounds(
            path, start=utterance.start, end=utterance.end, sampling_rate=file.samplerate, num_samples=file.frames
        )
        is_whole = (first, stop) == (0, file.frames)
        container, coding = _coding(file.format, file.subtype)
        if not is_whole:
            file.seek(first)
            samples = file.read(stop - first, dtype=_EXACT[coding], always_2d=True)  # (samples, channels)
            if len(samples) < stop - first:
                raise DataError(f"audio file `{path}` is cut short. Replace it.")
        rate = file.samplerate
    if is_whole:
        written = _with_suffix(target, path.suffix.lower())
        write_atomically(written, path.read_bytes())
        return written
    stream = BytesIO()
    soundfile.write(stream, samples, rate, format=container, subtype=coding)
    written = _with_suffix(target, _SUFFIXES[container])
    write_atomically(written, stream.getvalue())
    return written


def _coding(container: str, coding: str) -> tuple[str, str]:
    """Container and coding of a segment of such a recording."""
    if coding not in _EXACT:
        return "WAV", "FLOAT"
    if container == "FLAC":
        return container, coding
    return "WAV", "PCM_U8" if coding == "PCM_S8" else coding  # WAV stores 8 bits unsigned


def _with_suffix(target: Path, suffix: str) -> Path:
    """The file with a suffix after its whole name, dots in it included."""
    return target.with_name(f"{target.name}{suffix}")


def recording_name(path: str, folder: Path) -> str:
    """A name for a recording that knows no machine: its path below a folder, or below its own where it lies elsewhere.

    Without its suffix, with `/`.
    """
    relative = Path(os.path.relpath(path, folder))
    known = Path(*Path(path).parts[-2:]) if ".." in relative.parts else relative
    return known.with_suffix("").as_posix()
