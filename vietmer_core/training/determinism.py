"""torch's deterministic algorithms, for the time of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch

from vietmer_core.errors import RunError

WORKSPACE: Final = ":4096:8"
"""Buffers with which cuBLAS sums in one order (NVIDIA's documentation of `CUBLAS_WORKSPACE_CONFIG`); to be set before
anything computes on a GPU."""


@contextmanager
def deterministic(*, is_wanted: bool) -> Iterator[None]:
    """Inside, torch uses deterministic algorithms alone, or says that one has none.

    Raises:
        RunError: if an operation of the model has no deterministic algorithm on this device.
    """
    settings: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(is_wanted)
    settings.fill_uninitialized_memory = False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        raise RunError(
            f"`training.deterministic` cannot hold for this model on this device: {str(error).split('.')[0]}. Set it "
            "to false; two runs may then differ in the last bits."
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        settings.fill_uninitialized_memory = before[1]
