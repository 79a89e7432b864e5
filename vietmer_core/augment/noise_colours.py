"""Generated noise. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.spec_augmentation import Colour

LOWEST_HZ: Final = 20.0
"""Pink and brown noise hold nothing below: it would take most of the power, and nobody would hear it."""
SLOPES: Final[Mapping[Colour, float]] = MappingProxyType({"white": 0.0, "pink": 0.5, "brown": 1.0})
"""Amplitude is f to the power of minus this: the power falls by 0, 3 and 6 dB an octave."""


@final
@attrs.frozen(kw_only=True)
class ColouredNoise:
    """Gaussian noise whose power falls with frequency.

    Attributes:
        colour: `white`, `pink` or `brown`.
        sampling_rate: Hz.
    """

    colour: Colour
    sampling_rate: int

    def __call__(self, num_samples: int, numbers: np.random.Generator, /) -> NDArray[np.float64]:
        """Noise `(num_samples,)`."""
        if self.colour == "white":
            return numbers.standard_normal(num_samples)
        from scipy.fft import irfft, next_fast_len, rfft

        length = next_fast_len(num_samples, real=True)
        spectrum = rfft(numbers.standard_normal(length))  # (length // 2 + 1,)
        frequencies = np.fft.rfftfreq(length, 1 / self.sampling_rate)
        audible = frequencies >= LOWEST_HZ
        spectrum[~audible] = 0
        spectrum[audible] *= frequencies[audible] ** -SLOPES[self.colour]
        noise: NDArray[np.float64] = irfft(spectrum, length)[:num_samples]
        return noise
