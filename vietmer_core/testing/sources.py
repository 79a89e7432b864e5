"""Where the rows of an input come from, and what may stand in their padding."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, final

import attrs
import torch
from torch import Tensor

from vietmer_core.protocols import AudioFrontend, TextFrontend
from vietmer_core.testing.material import transcript_of, waveform_of

JUNK: Final = 1e4
"""Magnitude of the finite junk in the padding."""

MOST_SAMPLES: Final = 2**22
"""A frontend and an encoder that give no frame for so many samples are reported."""


class Source(Protocol):
    """Makes the rows of one input of a component."""

    @property
    def is_float(self) -> bool:
        """Whether the input has gradients; ids have none."""
        ...

    def rows(self, lengths: Sequence[int], seed: int) -> list[Tensor]:
        """One row `(time, ...)` for each length, float64 or int64."""
        ...

    def junk(self, count: int, seed: int) -> Tensor:
        """`count` frames of legal junk `(count, ...)`."""
        ...


def _float_junk(count: int, dim: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (count, dim), generator=generator) * 2 - 1  # (count, dim)
    return JUNK * signs.double()


@final
@attrs.frozen(kw_only=True)
class FeatureSource:
    """Normal numbers `(time, dim)`, all around 0, far below or far above: zeros in the padding must win nowhere."""

    dim: int
    is_float: bool = attrs.field(default=True, init=False)

    def rows(self, lengths: Sequence[int], seed: int) -> list[Tensor]:
        """One row of each length."""
        generator = torch.Generator().manual_seed(seed)
        shift = (-3.0, 0.0, 3.0)[seed % 3]
        return [shift + torch.randn(length, self.dim, generator=generator, dtype=torch.float64) for length in lengths]

    def junk(self, count: int, seed: int) -> Tensor:
        """Plus and minus 1e4."""
        return _float_junk(count, self.dim, seed)


@final
@attrs.frozen(kw_only=True)
class ClassSource:
    """Classes `(time, 1)` int64."""

    num_classes: int
    is_float: bool = attrs.field(default=False, init=False)

    def rows(self, lengths: Sequence[int], seed: int) -> list[Tensor]:
        """One row of each length."""
        generator = torch.Generator().manual_seed(seed)
        return [torch.randint(0, self.num_classes, (length, 1), generator=generator) for length in lengths]

    def junk(self, count: int, seed: int) -> Tensor:
        """Other classes."""
        return self.rows([count], seed + 1)[0]


@final
@attrs.frozen(kw_only=True, eq=False)
class TranscriptSource:
    """Ids from a text frontend: a length is a number of words."""

    frontend: TextFrontend
    is_float: bool = attrs.field(default=False, init=False)

    def rows(self, lengths: Sequence[int], seed: int) -> list[Tensor]:
        """The ids of one transcript for each number of words."""
        return [self.frontend(transcript_of(length, seed + 97 * row)) for row, length in enumerate(lengths)]

    def junk(self, count: int, seed: int) -> Tensor:
        """Ids of other words: any id may stand in the padding, as long as it is one."""
        ids = self.frontend(transcript_of(6, seed + 1))  # (tokens, fields)
        return ids[torch.arange(count) % len(ids)]


@final
@attrs.frozen(kw_only=True, eq=False)
class WaveformSource:
    """Features from an audio frontend: a length is a number of frames *behind the encoder*.

    Waveforms of so many samples are drawn that `frames_of` gives the number asked for, wherever in the hop they end.
    """

    frontend: AudioFrontend
    frames_of: Callable[[int], int]
    is_float: bool = attrs.field(default=True, init=False)

    def rows(self, lengths: Sequence[int], seed: int) -> list[Tensor]:
        """The features of one waveform for each number of frames."""
        rows = []
        for row, length in enumerate(lengths):
            num_samples = self._num_samples(length, seed + 31 * row)
            rows.append(self.frontend(waveform_of(num_samples, seed + 97 * row)).double())
        return rows

    def junk(self, count: int, seed: int) -> Tensor:
        """Plus and minus 1e4."""
        return _float_junk(count, self.frontend(torch.zeros(0)).shape[1], seed)

    def _num_samples(self, length: int, seed: int) -> int:
        if length == 0:
            return 0
        first, beyond = self._fewest(length), self._fewest(length + 1)
        return first + seed % max(beyond - first, 1)

    def _fewest(self, length: int) -> int:
        """The fewest samples that give at least `length` frames, by doubling and halving."""
        enough = 1
        while self.frames_of(enough) < length:
            enough *= 2
            if enough > MOST_SAMPLES:
                raise ValueError(f"no waveform of up to {MOST_SAMPLES} samples gives {length} frames.")
        few = enough // 2
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if self.frames_of(middle) >= length else (middle, enough)
        return enough
