"""Recorded noise. Torch-free."""

from pathlib import Path
from typing import Final, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.audio import audio_info, read_segment
from vietmer_core.errors import DataError, RunError

SUFFIXES: Final = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au")
_SPARE_SECONDS: Final = 0.01
"""Read beyond what is needed, so that resampling cannot give a sample too few."""


@attrs.frozen(kw_only=True)
class NoiseRecording:
    """One file.

    Attributes:
        path: Where it lies.
        name: Its path in the folder of noise.
        duration: s.
    """

    path: Path
    name: str
    duration: float


@final
@attrs.frozen(kw_only=True)
class RecordedNoise:
    """A stretch of a recording: cut from a longer one, or a shorter one repeated from some place in it.

    Attributes:
        recordings: To choose from, in the order of their names.
        sampling_rate: Wanted, Hz.
    """

    recordings: tuple[NoiseRecording, ...]
    sampling_rate: int

    @classmethod
    def in_folder(cls, folder: Path, *, sampling_rate: int) -> "RecordedNoise":
        """The recordings of a folder and its subfolders; only their headers are read.

        Raises:
            DataError: if the folder holds no recording, or one that cannot be used, which is named.
        """
        if not folder.is_dir():
            raise DataError(f"folder `{folder}` must exist and hold recordings of noise, but there is none.")
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if _is_audio(path))
        if not names:
            raise DataError(f"folder `{folder}` must hold recordings of noise ({', '.join(SUFFIXES)}), but holds none.")
        recordings = []
        for name in names:
            info = audio_info(folder / name)
            if not info.num_samples:
                raise DataError(f"audio file `{folder / name}` must hold noise, but holds no sample. Remove it.")
            recordings.append(NoiseRecording(path=folder / name, name=name, duration=info.duration))
        return cls(recordings=tuple(recordings), sampling_rate=sampling_rate)

    def __call__(self, num_samples: int, numbers: np.random.Generator, /) -> NDArray[np.float32]:
        """Noise `(num_samples,)`; of several channels the mean.

        Raises:
            RunError: if the recording cannot be decoded, which is no fault of the utterance.
        """
        recording = self.recordings[numbers.integers(len(self.recordings))]
        place = numbers.random()
        wanted = num_samples / self.sampling_rate + _SPARE_SECONDS
        if recording.duration > wanted:
            start = place * (recording.duration - wanted)
            return self._read(recording, start, start + wanted)[:num_samples]
        whole = self._read(recording, None, None)
        return np.resize(np.roll(whole, -int(place * len(whole))), num_samples)  # numpy repeats what is too short

    def _read(self, recording: NoiseRecording, start: float | None, end: float | None) -> NDArray[np.float32]:
        try:
            return read_segment(recording.path, start=start, end=end, channel="mix", sampling_rate=self.sampling_rate)
        except DataError as error:
            raise RunError(f"a recording of noise (`augment.waveform`) cannot be used: {error}") from None


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()
