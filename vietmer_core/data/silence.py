"""Audio without sound: every sample is equal. Found while a recording is decoded, block by block. Torch-free."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAVE_OUT_AUDIO: Final = "Leave the row out, or set its `wav_path` to null."
SHORTEST_SECONDS: Final = 0.1
"""Shorter spans of equal samples are not kept: speech through a gate is full of them."""


EqualSpan = tuple[int, int, float]
"""First sample, the one behind the last, and the value: the mean of the channels."""


def silence_sentence(num_samples: int, value: float) -> str:
    """What is wrong with a segment whose samples are all equal, without the remedy."""
    return f"the audio must hold sound, but each of its {num_samples} samples is {value:g} instead."


class EqualSpans:
    """The spans of frames that are equal to one another in every channel, each as long as it can be.

    Args:
        sampling_rate: Of the recording, Hz.
    """

    def __init__(self, sampling_rate: int) -> None:
        self._shortest: Final = SHORTEST_SECONDS * sampling_rate
        self._found: Final[list[EqualSpan]] = []
        self._begun, self._read = 0, 0
        self._last: NDArray[np.float32] | None = None

    def add(self, frames: NDArray[np.float32]) -> None:
        """Read on: `(samples, channels)`, which may be overwritten afterwards."""
        if not len(frames):
            return
        before = np.concatenate([frames[:1] if self._last is None else self._last, frames[:-1]])  # (samples, channels)
        places = np.flatnonzero((before != frames).any(axis=1))  # where a span ends and another begins
        ends = self._read + places
        starts = np.concatenate([[self._begun], ends])[:-1]
        for index in np.flatnonzero(ends - starts >= self._shortest):
            self._found.append((int(starts[index]), int(ends[index]), float(before[places[index]].mean())))
        self._begun = int(ends[-1]) if len(ends) else self._begun
        self._read += len(frames)
        self._last = frames[-1:].copy()

    def spans(self) -> tuple[EqualSpan, ...]:
        """Every such span so far in order; a recording that is one span is kept however short."""
        if self._last is None:
            return ()
        last = (self._begun, self._read, float(self._last.mean()))
        is_kept = self._begun == 0 or self._read - self._begun >= self._shortest
        return (*self._found, *([last] if is_kept else []))
