"""A want of memory as one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vietmer_core.errors import RunError


@contextmanager
def memory_told(remedy: str, *, what: str = "this step") -> Iterator[None]:
    """Inside, an error of an allocation becomes a sentence.

    Args:
        remedy: What to do.
        what: For what the memory does not suffice.

    Raises:
        RunError: if the memory does not suffice.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise RunError(f"the memory does not suffice for {what}. {remedy}") from error
