"""Memory that a computation on the CPU has freed stays with the process for the next step, instead of coming anew."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

TRIM_THRESHOLD: Final = -1  # the parameters' numbers in glibc's malloc.h (`man mallopt`)
MMAP_THRESHOLD: Final = -3
MIB: Final = 2**20
LARGEST_KEPT_BLOCK: Final = 32 * MIB
"""The most that glibc takes for `M_MMAP_THRESHOLD` on 64 bits; a larger block is the system's once it is freed."""
MOST_KEPT: Final = 2047 * MIB
"""Free memory at the end of the heap that stays: an `int` holds no more."""
GIVEN_BACK_FROM: Final = 2 * LARGEST_KEPT_BLOCK
"""What glibc's own adjustment comes to at most: twice the threshold of a block."""


def _glibc() -> Any | None:
    """The C library, where it is glibc."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, glibc gives freed memory of main memory back to the system late; afterwards it gives back what is free.

    A step of training frees all that it computed. By its defaults glibc then hands the end of its heap to the system,
    and the next step gets it page by page, each a fault, and filled with zeros. Without glibc, nothing changes.

    From then on blocks of up to 32 MiB come from the heap, as glibc itself decides once a process has freed one of that
    size; `MALLOC_MMAP_THRESHOLD_` and `MALLOC_TRIM_THRESHOLD_` no longer count.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(MMAP_THRESHOLD, LARGEST_KEPT_BLOCK)
    library.mallopt(TRIM_THRESHOLD, MOST_KEPT)
    try:
        yield
    finally:
        library.mallopt(TRIM_THRESHOLD, GIVEN_BACK_FROM)
        library.malloc_trim(0)
