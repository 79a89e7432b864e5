"""Where a run computes, with which threads, in which precision."""

import torch

from vietmer_core.errors import AssemblyError, RunError
from vietmer_core.spec import ExperimentSpec


def choose_device(wanted: str) -> torch.device:
    """The device of a run.

    Raises:
        RunError: if a GPU is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RunError(
            "`training.device` must be `cpu` or `auto` here, but is `cuda`: no GPU is usable. See `vietmer doctor`."
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that the device does not compute in.

    Raises:
        AssemblyError: naming the field and the remedy.
    """
    if precision == "fp16" and device.type == "cpu":
        raise AssemblyError("`training.precision` must be `fp32` or `bf16` on a CPU, but is `fp16`, which needs a GPU.")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        name = torch.cuda.get_device_name(device)
        raise AssemblyError(f"`training.precision` must be `fp32` or `fp16` on {name}, but is `bf16`.")


def with_threads(spec: ExperimentSpec) -> ExperimentSpec:
    """The spec with its number of threads resolved, and torch held to it."""
    threads = spec.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    return spec.model_copy(update={"threads": threads})
