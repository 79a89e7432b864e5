"""What an operation on a waveform is. Torch-free."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float32]
"""`(samples,)` float32 at the rate of the audio frontend, full scale at 1."""


class WaveformOperation(Protocol):
    """Changes one waveform; every random number comes from the generator that it is given."""

    def __call__(self, waveform: Waveform, numbers: np.random.Generator, /) -> Waveform:
        """The changed waveform, another array; it may have another number of samples.

        Args:
            waveform: Not all of its samples are equal.
            numbers: Of this operation on this utterance in this epoch.
        """
        ...
