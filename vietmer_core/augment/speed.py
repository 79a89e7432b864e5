"""Another speed. Torch-free."""

from typing import final

import attrs
import numpy as np
import soxr

from vietmer_core.augment.operation import Waveform
from vietmer_core.data.audio import RESAMPLING_QUALITY


@final
@attrs.frozen(kw_only=True)
class Speed:
    """Plays a waveform faster or slower by resampling it, pitch and all (Ko et al. 2015, "Audio augmentation").

    A waveform of n samples becomes one of about n / factor.

    Attributes:
        factor: Lowest and highest factor; above 1 is faster and higher.
    """

    factor: tuple[float, float]

    def __call__(self, waveform: Waveform, numbers: np.random.Generator, /) -> Waveform:
        """`(samples,)` → `(samples / factor,)`."""
        factor = numbers.uniform(*self.factor)
        faster: Waveform = soxr.resample(waveform, factor, 1.0, quality=RESAMPLING_QUALITY)
        return faster
