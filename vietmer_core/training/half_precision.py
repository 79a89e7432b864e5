"""Whether a processor computes a model's convolutions in half precision rightly; torch 2.14 has kernels that do not."""

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn
from torch.random import fork_rng

from vietmer_core.errors import AssemblyError

DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Of autocast, by `training.precision`."""
LARGEST_ERROR: Final = 0.1
"""Of the largest output. Rounding to bf16 makes 0.004."""
_STEPS: Final = 64
"""Outputs of a convolution that are compared."""


def check_convolutions(model: nn.Module, *, precision: str, device: torch.device) -> None:
    """Compare each kind of convolution over time with itself in fp32, on noise; on CPUs in half precision alone.

    A wrong kernel raises nothing: a wav2vec 2.0 would train on wrong features. (torch 2.14.1, on processors with AMX:
    8 channels, kernel and stride of 8 are off by 90 %.)

    Raises:
        AssemblyError: naming the precision, the convolution and the error.
    """
    if precision == "fp32" or device.type != "cpu":
        return
    with fork_rng(devices=[]):
        torch.manual_seed(0)
        for part in _kinds(model):
            error = _error(part, dtype=DTYPES[precision])
            if not error <= LARGEST_ERROR:
                shape = f"{part.in_channels} to {part.out_channels} channels, kernel {part.kernel_size[0]}, stride"
                raise AssemblyError(
                    f"`training.precision` must be `fp32` for this model on this processor, but is `{precision}`: "
                    f"torch {torch.__version__} computes its convolution of {shape} {part.stride[0]} wrongly there, "
                    f"by {error:.0%} of the largest value."
                )


def _kinds(model: nn.Module) -> Iterator[nn.Conv1d]:
    """One convolution of each shape."""
    seen = set()
    for part in model.modules():
        if isinstance(part, nn.Conv1d) and all(weight.device.type == "cpu" for weight in part.parameters()):
            kind = (part.in_channels, part.out_channels, part.kernel_size, part.stride, part.dilation, part.groups)
            if kind not in seen:
                seen.add(kind)
                yield part


@torch.no_grad()
def _error(part: nn.Conv1d, *, dtype: torch.dtype) -> float:
    """The largest difference from fp32, over the largest value of it."""
    samples = part.dilation[0] * (part.kernel_size[0] - 1) + 1 + part.stride[0] * (_STEPS - 1)
    given = torch.randn(2, part.in_channels, samples)
    weight: Tensor = part.weight.float()

    def convolved() -> Tensor:
        return nn.functional.conv1d(given, weight, None, part.stride, 0, part.dilation, part.groups)

    exact = convolved()
    with torch.autocast("cpu", dtype=dtype):
        near = convolved().float()
    return float((near - exact).abs().max() / exact.abs().max().clamp(min=1e-30))
