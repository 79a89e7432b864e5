"""The arithmetic of a chain of valid convolutions: samples in, frames out, and what a frame reads."""

import math
from collections.abc import Iterator
from typing import final

import attrs
import torch
from torch import Tensor


@final
@attrs.frozen(kw_only=True)
class ConvChain:
    """Valid convolutions one after the other; each rounds down what does not fill a kernel.

    Attributes:
        kernels: Width of each kernel, the first reads samples.
        strides: Step of each.
        first: The first convolution alone.
    """

    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    first: "ConvChain" = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        is_one = len(self.kernels) == 1
        first = self if is_one else ConvChain(kernels=self.kernels[:1], strides=self.strides[:1])
        object.__setattr__(self, "first", first)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return math.prod(self.strides)

    @property
    def fewest_samples(self) -> int:
        """Samples that one frame reads, and so the fewest that give one."""
        samples = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    def num_frames(self, num_samples: int) -> int:
        """Frames of so many samples; 0 where they do not fill every kernel."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            num_samples = max(0, (num_samples - kernel) // stride + 1)
        return num_samples

    def lengths(self, samples: Tensor) -> Tensor:
        """Frames of each row, `(batch,)` int64, from its samples `(batch,)`; 0 stays 0."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            samples = (torch.div(samples - kernel, stride, rounding_mode="floor") + 1).clamp(min=0)
        return samples

    def samples_of(self, start: int, stop: int) -> slice:
        """The samples that frames `start` to `stop` read, and that give those frames and no others."""
        return slice(start * self.hop, (stop - 1) * self.hop + self.fewest_samples)


def spans(total: int, each: int) -> Iterator[tuple[int, int]]:
    """`(start, stop)` of neighbouring spans of `each`, the last one shorter, that cover `total`."""
    return ((start, min(start + each, total)) for start in range(0, total, each))
