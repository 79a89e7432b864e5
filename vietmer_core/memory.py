"""How much memory there is and what a computation takes of it, and a want of memory as one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, final

import attrs
import torch

from vietmer_core.errors import RunError

PROCESS: Final = Path("/proc/self")
CGROUP: Final = Path("/sys/fs/cgroup")
RESET_PEAK: Final = "5"
"""What resets the peak of the resident memory (`man proc_pid_clear_refs`)."""
KIB: Final = 1024
ARENAS: Final = 4 * 64 * KIB**2
"""Address space that glibc reserves for threads, in pieces of 64 MiB, without holding memory; bytes."""


def is_memory_error(error: BaseException) -> bool:
    """Whether an error says that an allocation failed."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "std::bad_alloc")
    )


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
    except (RuntimeError, MemoryError) as error:
        if not is_memory_error(error):
            raise
        raise RunError(f"the memory does not suffice for {what}. {remedy}") from error


@attrs.define
class Peak:
    """Memory that a computation took at most, beside what was held before the first one; bytes."""

    bytes: int = 0


@final
class Memory:
    """The memory of a device, as this process sees it.

    Args:
        device: A GPU, or the CPU for main memory.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._held = self._now()

    def free_bytes(self) -> int:
        """What this process may still take: on a CPU the least of what is free, and of the limits it stands under."""
        if self._device.type == "cuda":
            return int(torch.cuda.mem_get_info(self._device)[0])
        import psutil

        return min([int(psutil.virtual_memory().available), *_limits()])

    @contextmanager
    def measured(self) -> Iterator[Peak]:
        """Inside, memory is watched; after it, the peak is known (outside Linux, that of a CPU only if it is new)."""
        peak = Peak()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            with suppress(OSError):
                (PROCESS / "clear_refs").write_text(RESET_PEAK, encoding="ascii")
        try:
            yield peak
        finally:
            peak.bytes = max(0, self._most() - self._held)

    def _now(self) -> int:
        if self._device.type == "cuda":
            return int(torch.cuda.memory_allocated(self._device))
        import psutil

        return int(psutil.Process().memory_info().rss)

    def _most(self) -> int:
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        with suppress(OSError):
            for line in (PROCESS / "status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * KIB
        return peak_memory_bytes(self._device)


def _limits() -> Iterator[int]:
    """What is left of the limits of this process and of its control group, bytes."""
    import psutil

    with suppress(ImportError, OSError, ValueError):
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            yield max(0, most - int(psutil.Process().memory_info().vms) - ARENAS)
    with suppress(OSError, ValueError):
        most = int((CGROUP / "memory.max").read_text(encoding="ascii"))  # "max" is no number
        yield max(0, most - int((CGROUP / "memory.current").read_text(encoding="ascii")))


def peak_memory_bytes(device: torch.device) -> int:
    """The most that the process has held since it began: on its GPU, or, on a CPU, in main memory; 0 if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * KIB)
