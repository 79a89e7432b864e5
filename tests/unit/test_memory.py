"""A want of memory is one sentence, and what a computation takes is measured."""

import sys

import pytest
import torch

from vietmer_core.errors import RunError
from vietmer_core.memory import Memory, is_memory_error, memory_told, peak_memory_bytes

CPU = torch.device("cpu")
MIB = 2**20


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to …"),
    ],
)
def test_every_want_of_memory_is_told(error: Exception) -> None:
    assert is_memory_error(error)
    sentence = r"the memory does not suffice for a batch\. Lower it\."
    with pytest.raises(RunError, match=sentence), memory_told("Lower it.", what="a batch"):
        raise error


def test_any_other_error_passes() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_told("Lower it."):
        raise RuntimeError("shapes do not match")


def test_a_real_allocation_that_fails_is_told() -> None:
    with pytest.raises(RunError, match="the memory does not suffice"), memory_told("Lower it."):
        torch.empty(2**60, dtype=torch.uint8)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is reset through /proc")
def test_the_peak_of_a_computation_is_measured_and_forgotten() -> None:
    memory = Memory(CPU)
    with memory.measured() as large:
        torch.ones(200 * MIB, dtype=torch.uint8)
    with memory.measured() as small:
        torch.ones(20 * MIB, dtype=torch.uint8)
    assert large.bytes >= 190 * MIB
    assert small.bytes < 120 * MIB
    assert memory.free_bytes() > 0


def test_the_peak_of_a_process_is_no_less_than_what_it_holds() -> None:
    held = torch.ones(100 * MIB, dtype=torch.uint8)
    assert peak_memory_bytes(CPU) >= held.numel()
