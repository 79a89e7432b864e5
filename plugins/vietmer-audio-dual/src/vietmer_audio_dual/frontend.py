"""Waveform → the samples that each half reads, one utterance at a time, before any padding exists."""

from typing import final

import attrs
import torch
from torch import Tensor
from torch.nn.functional import pad
from vietmer_audio_wav2vec2.frontend import Wav2Vec2Frontend


@final
@attrs.frozen(kw_only=True)
class DualFrontend:
    """Samples `(samples, 2)` float32 of a waveform `(samples,)` float32 in [-1, 1].

    Column 0 is what wav2vec 2.0 reads, normalised over the utterance; column 1 is the waveform itself, which VGGish
    reads: normalised, its log-mels would lose the loudness that it was trained with. Samples rather than log-mels,
    since frames of another rate do not fit on the same time axis; the normalised column rather than the mean and the
    deviation, so that the wav2vec 2.0 half gets, bit for bit, what it gets alone.

    Attributes:
        wav2vec2: The frontend of the wav2vec 2.0 half.
    """

    wav2vec2: Wav2Vec2Frontend

    @property
    def sampling_rate(self) -> int:
        return self.wav2vec2.sampling_rate

    def num_frames(self, num_samples: int, /) -> int:
        """Samples that come out; 0 where wav2vec 2.0 would have no frame."""
        return self.wav2vec2.num_frames(num_samples)

    def samples_added(self, num_samples: int, /) -> int:
        """Zeros that continue a waveform too short for one frame (`short: pad`)."""
        return self.wav2vec2.samples_added(num_samples)

    @torch.no_grad()
    def __call__(self, waveform: Tensor, /) -> Tensor:
        """Samples of a waveform; one that is too short for a frame gives `(0, 2)`, unless it is padded.

        Raises:
            ValueError: if the waveform is not float32 of shape `(samples,)`.
        """
        normalised = self.wav2vec2(waveform)  # (samples, 1)
        missing = len(normalised) - len(waveform)  # below 0 where a short waveform is left out
        raw = pad(waveform, (0, missing))[:, None]  # (samples, 1)
        return torch.cat([normalised, raw], dim=1)  # (samples, 2)
