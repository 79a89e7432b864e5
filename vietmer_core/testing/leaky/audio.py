"""Leaky audio encoders: what goes wrong between the samples and the frames."""

from typing import final

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from vietmer_core.sequence import MaskedSequence


@final
class NormalisedAfterPadding(nn.Module):
    """Normalises each waveform over its padded length (transformers' wav2vec2 feature extractor by default)."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 1
        self.scale = nn.Parameter(torch.ones(1))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """The same."""
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, 1)` → the same shape."""
        samples = sequence.zeroed().features
        mean = samples.mean(dim=1, keepdim=True)  # (batch, 1, 1)
        deviation = (samples - mean).square().mean(dim=1, keepdim=True).add(1e-7).sqrt()  # (batch, 1, 1)
        return sequence.with_features((samples - mean) / deviation * self.scale)


@final
class TransformOfThePaddedBatch(nn.Module):
    """A centred STFT over the padded batch: a row's last frames reflect its end alone, and zeros in a batch."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 5
        self.register_buffer("window", torch.hann_window(8))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """One frame every four samples, one more at the end."""
        return torch.where(lengths > 0, 1 + lengths // 4, 0)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, samples, 1)` → `(batch, frames, 5)`."""
        samples = sequence.zeroed().features[..., 0]  # (batch, samples)
        samples = functional.pad(samples, (0, max(0, 5 - samples.shape[1])))  # (batch, samples >= 5)
        spectrum = torch.stft(samples, 8, 4, window=self.window, center=True, return_complex=True)
        frames = rearrange(spectrum.abs(), "batch frequency time -> batch time frequency")
        return MaskedSequence(features=frames, lengths=self.output_lengths(sequence.lengths))


@final
class HalvedRoundedDown(nn.Module):
    """Averages pairs, the odd one out included, but declares lengths rounded down."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 1
        self.scale = nn.Parameter(torch.ones(1))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Rounded down, which is wrong."""
        return lengths // 2

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, 1)` → `(batch, ceil(frames / 2), 1)`."""
        samples = functional.pad(sequence.zeroed().features, (0, 0, 0, 1))  # (batch, frames + 1, 1)
        pairs = samples[:, :-1:2] + samples[:, 1::2]  # (batch, ceil(frames / 2), 1)
        return MaskedSequence(features=pairs * self.scale, lengths=(sequence.lengths + 1) // 2)


@final
class LengthsByFraction(nn.Module):
    """Takes the real part of the output for the same fraction of the padded width as of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 1
        self.scale = nn.Parameter(torch.ones(1))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Every third sample, with the last, partial three."""
        return (lengths + 2) // 3

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, 1)` → `(batch, ceil(frames / 3), 1)`."""
        thirds = sequence.zeroed().features[:, ::3]  # (batch, ceil(frames / 3), 1)
        width = max(sequence.features.shape[1], 1)
        lengths = (sequence.lengths * thirds.shape[1] / width).round().long()
        return MaskedSequence(features=thirds * self.scale, lengths=lengths)
