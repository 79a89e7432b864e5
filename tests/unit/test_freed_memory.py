"""What a step has freed serves the next one, without a page fault for each page."""

import ctypes
import sys

import pytest
import torch

from vietmer_core.freed_memory import LARGEST_KEPT_BLOCK, MIB, MMAP_THRESHOLD, freed_memory_kept

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="glibc alone is set"
)


STEPS = 60
FEW = 20  # of 18,432 pages; 36 where they are huge


def faultless_step() -> int | None:
    """The first of the steps, each of which takes and frees 3 × 24 MiB, that has next to no page fault."""
    import resource

    for number in range(STEPS):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        _held = [torch.ones(24 * MIB, dtype=torch.uint8) for _ in range(3)]
        del _held
        if resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < FEW:
            return number
    return None


def test_freed_memory_comes_without_page_faults() -> None:
    with freed_memory_kept():
        assert faultless_step() is not None  # after some in which the heap grows
    ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, MIB)  # the counter-example: every block is the system's own
    try:
        assert faultless_step() is None
    finally:
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGEST_KEPT_BLOCK)


def test_what_is_free_is_given_back_afterwards() -> None:
    import psutil

    process = psutil.Process()
    with freed_memory_kept():
        faultless_step()
        inside = process.memory_info().rss
    assert process.memory_info().rss < inside - 60 * MIB


def test_an_error_passes_through() -> None:
    with pytest.raises(ValueError, match="of a step"), freed_memory_kept():
        raise ValueError("of a step")
