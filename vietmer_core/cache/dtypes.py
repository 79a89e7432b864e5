"""The number formats of cached features. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.errors import CacheError

Dtype = Literal["fp32", "fp16", "bf16"]


@attrs.frozen(kw_only=True)
class Storage:
    """How a dtype is stored.

    Attributes:
        code: Its name in a safetensors header.
        numpy: Of the arrays; numpy has no bfloat16, so those are its bits.
        bits: Unsigned integers of the same size.
        exponent: The bits that are all set in NaN and infinity, and in no other number.
        most: The largest number it holds.
    """

    code: str
    numpy: np.dtype[Any]
    bits: np.dtype[Any]
    exponent: int
    most: float


STORAGE: Final[Mapping[str, Storage]] = MappingProxyType(
    {
        "fp32": Storage(
            code="F32", numpy=np.dtype("<f4"), bits=np.dtype("<u4"), exponent=0x7F80_0000, most=3.4028235e38
        ),
        "fp16": Storage(code="F16", numpy=np.dtype("<f2"), bits=np.dtype("<u2"), exponent=0x7C00, most=65504.0),
        "bf16": Storage(code="BF16", numpy=np.dtype("<u2"), bits=np.dtype("<u2"), exponent=0x7F80, most=3.3895314e38),
    }
)

BYTES_PER_HEADER: Final = 1024
"""Of a shard, beside its entries; an upper bound."""
BYTES_PER_KEY: Final = 160
"""Of an entry in the header of its shard; an upper bound."""


def size_of(num_frames: int, *, dim: int, dtype: Dtype, entries: int = 1) -> int:
    """Bytes on disk of `entries` utterances that have `num_frames` frames together, headers included."""
    data = num_frames * dim * STORAGE[dtype].numpy.itemsize
    return data + entries * BYTES_PER_KEY + BYTES_PER_HEADER


def to_storage(array: NDArray[Any], *, dtype: Dtype) -> NDArray[Any]:
    """An array in the dtype that it is stored in, contiguous.

    Args:
        array: float32 of any shape, which is rounded to nearest, or already of the stored dtype (bf16: uint16 bits).
        dtype: Of the cache.

    Raises:
        CacheError: if a number is not finite, or not finite once rounded.
        TypeError: if the array is of another dtype.
    """
    storage = STORAGE[dtype]
    if array.dtype == np.float32:
        values = _rounded(array, dtype)
    elif array.dtype == storage.numpy:
        values = array
    else:
        raise TypeError(f"`array` must be float32 or {storage.numpy.name} for {dtype}, but is {array.dtype} instead.")
    values = np.ascontiguousarray(values, dtype=storage.numpy)
    if _has_nonfinite(values, storage):
        raise CacheError(_nonfinite_sentence(array, dtype))
    return values


def to_float32(array: NDArray[Any], *, dtype: Dtype) -> NDArray[np.float32]:
    """What was stored, as float32 of the same shape; every stored number is one exactly."""
    if dtype == "bf16":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return array.astype(np.float32)


def _rounded(array: NDArray[Any], dtype: Dtype) -> NDArray[Any]:
    if dtype == "fp32":
        return array
    if dtype == "fp16":
        with np.errstate(over="ignore"):  # what overflows is refused afterwards
            return array.astype(np.float16)
    finite = np.isfinite(array)
    bits = np.ascontiguousarray(array).view(np.uint32)
    half = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))  # to nearest, ties to even
    rounded = ((bits + half) >> np.uint32(16)).astype(np.uint16)
    return np.where(finite, rounded, np.uint16(0x7FC0))


def _has_nonfinite(values: NDArray[Any], storage: Storage) -> bool:
    exponent = storage.bits.type(storage.exponent)
    return bool(((values.view(storage.bits) & exponent) == exponent).any())


def _nonfinite_sentence(array: NDArray[Any], dtype: Dtype) -> str:
    most = STORAGE[dtype].most
    other = {"fp16": "`cache.dtype: bf16` or `fp32`", "bf16": "`cache.dtype: fp32`"}.get(dtype)
    if array.dtype == np.float32 and bool(np.isfinite(array).all()):
        largest = float(np.abs(array).max())
        return f"features must not exceed {most:g}, the most that {dtype} holds, but reach {largest:g}. Set {other}."
    remedy = f" If the encoder computes in {dtype} and exceeds {most:g}, set {other}." if other else ""
    return f"features must be finite, but hold NaN or infinity in {dtype}.{remedy}"
