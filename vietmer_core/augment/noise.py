"""Added noise. Torch-free."""

from typing import Protocol, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.augment.operation import Waveform


class NoiseSource(Protocol):
    """Where noise comes from."""

    def __call__(self, num_samples: int, numbers: np.random.Generator, /) -> NDArray[np.floating]:
        """Noise `(num_samples,)` of any power."""
        ...


@final
@attrs.frozen(kw_only=True)
class AddedNoise:
    """Adds noise at a ratio of signal to noise: mean squares over all samples of the utterance, pauses included.

    The sum may pass full scale; it is not clipped, which would change the ratio. Noise without power, such as a silent
    stretch of a recording, adds nothing.

    Attributes:
        snr_db: Lowest and highest ratio, dB.
        sources: To choose from.
    """

    snr_db: tuple[float, float]
    sources: tuple[NoiseSource, ...]

    def __call__(self, waveform: Waveform, numbers: np.random.Generator, /) -> Waveform:
        """`(samples,)` → `(samples,)`."""
        snr_db = numbers.uniform(*self.snr_db)
        source = self.sources[numbers.integers(len(self.sources))]
        signal = waveform.astype(np.float64)
        noise = source(len(signal), numbers).astype(np.float64)  # (samples,)
        power = np.mean(noise**2)
        if not power:
            return waveform.copy()
        scale = np.sqrt(np.mean(signal**2) / power) * 10 ** (-snr_db / 20)
        noisy: Waveform = (signal + scale * noise).astype(np.float32)
        return noisy
