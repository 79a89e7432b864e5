"""Another loudness. Torch-free."""

from typing import final

import attrs
import numpy as np

from vietmer_core.augment.operation import Waveform


@final
@attrs.frozen(kw_only=True)
class Gain:
    """Multiplies by a gain and clips to [-1, 1], as an amplifier of limited range does.

    Attributes:
        gain_db: Lowest and highest gain, dB.
    """

    gain_db: tuple[float, float]

    def __call__(self, waveform: Waveform, numbers: np.random.Generator, /) -> Waveform:
        """`(samples,)` → `(samples,)`."""
        factor = 10 ** (numbers.uniform(*self.gain_db) / 20)
        return np.clip(waveform.astype(np.float64) * factor, -1, 1).astype(np.float32)
