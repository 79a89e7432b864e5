"""Waveform → normalised samples, one utterance at a time, before any padding exists."""

from typing import Final, final

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

VARIANCE_OFFSET: Final = 1e-7
"""Added to the variance, as transformers' `Wav2Vec2FeatureExtractor` does; silence becomes zeros."""


def zero_mean_unit_variance(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """A waveform with mean 0 and variance 1, bit for bit what transformers gives for one utterance."""
    normalised: NDArray[np.float32] = (samples - samples.mean()) / np.sqrt(samples.var() + VARIANCE_OFFSET)
    return normalised


@final
@attrs.frozen(kw_only=True)
class Wav2Vec2Frontend:
    """Samples `(samples, 1)` float32 of a waveform `(samples,)` float32 in [-1, 1].

    Attributes:
        sampling_rate: Rate of the waveforms, Hz.
        normalise: Whether each waveform is brought to mean 0 and variance 1 over its own samples.
        fewest_samples: Samples of one frame of the encoder; a shorter waveform gives none.
        pads_short: A shorter one is continued with zeros to one frame instead, after it was normalised.
    """

    sampling_rate: int
    normalise: bool
    fewest_samples: int
    pads_short: bool

    def num_frames(self, num_samples: int, /) -> int:
        """Samples that come out; 0 where the encoder would have no frame."""
        padded = num_samples + self.samples_added(num_samples)
        return padded if padded >= self.fewest_samples else 0

    def samples_added(self, num_samples: int, /) -> int:
        """Zeros that continue a waveform too short for one frame; 0 where it is long enough or empty."""
        if not self.pads_short or not 0 < num_samples < self.fewest_samples:
            return 0
        return self.fewest_samples - num_samples

    @torch.no_grad()
    def __call__(self, waveform: Tensor, /) -> Tensor:
        """Samples of a waveform; one that is too short for a frame gives `(0, 1)`, unless it is padded.

        Raises:
            ValueError: if the waveform is not float32 of shape `(samples,)`.
        """
        if waveform.ndim != 1 or waveform.dtype != torch.float32:
            raise ValueError(
                f"`waveform` must be float32 of shape (samples,), but is "
                f"{str(waveform.dtype).removeprefix('torch.')} of shape {tuple(waveform.shape)} instead."
            )
        if self.num_frames(len(waveform)) == 0:
            return waveform.new_zeros((0, 1))
        samples = torch.from_numpy(zero_mean_unit_variance(waveform.numpy())) if self.normalise else waveform
        return pad(samples, (0, self.samples_added(len(waveform))))[:, None].clone()  # (samples, 1)
