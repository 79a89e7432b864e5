import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vietmer_core.cache.dtypes import Dtype, size_of, to_float32, to_storage
from vietmer_core.errors import CacheError

TORCH = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-6e4, max_value=6e4)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_numbers_are_rounded_as_torch_rounds_them(dtype: Dtype) -> None:
    @given(npst.arrays(np.float32, npst.array_shapes(max_dims=2, min_side=0), elements=NUMBERS))
    def check(array: Any) -> None:
        expected = torch.from_numpy(array).to(TORCH[dtype]).to(torch.float32).numpy()
        np.testing.assert_array_equal(to_float32(to_storage(array, dtype=dtype), dtype=dtype), expected)

    check()


@pytest.mark.parametrize(
    ("dtype", "stored"), [("fp32", np.float32), ("fp16", np.float16), ("bf16", np.uint16)], ids=str
)
def test_the_stored_dtype_is_taken_as_it_is(dtype: Dtype, stored: Any) -> None:
    array = np.arange(6).reshape(2, 3).astype(stored)
    assert to_storage(array, dtype=dtype) is array
    np.testing.assert_array_equal(to_storage(array[:, ::2], dtype=dtype), array[:, ::2])


@pytest.mark.parametrize(
    ("dtype", "value", "sentence"),
    [
        ("fp16", 65520.0, "must not exceed 65504, the most that fp16 holds, but reach 65520. Set `cache.dtype: bf16`"),
        ("bf16", 3.4e38, "the most that bf16 holds, but reach 3.4e+38. Set `cache.dtype: fp32`"),
        ("fp16", np.nan, "must be finite, but hold NaN or infinity in fp16"),
        ("bf16", -np.inf, "must be finite, but hold NaN or infinity in bf16"),
        ("fp32", np.nan, "must be finite, but hold NaN or infinity in fp32."),
    ],
)
def test_what_is_not_finite_once_stored_is_refused(dtype: Dtype, value: float, sentence: str) -> None:
    array = np.zeros((2, 3), np.float32)
    array[1, 1] = value
    with pytest.raises(CacheError, match=re.escape(sentence)):
        to_storage(array, dtype=dtype)


def test_the_most_that_a_dtype_holds_is_kept() -> None:
    for dtype, most in (("fp16", 65504.0), ("bf16", 3.3895314e38), ("fp32", 3.4028235e38)):
        array = np.full((1, 1), most, np.float32)
        assert to_float32(to_storage(array, dtype=dtype), dtype=dtype) == array  # type: ignore[arg-type]  # str of a tuple


def test_infinity_of_an_encoder_in_fp16_names_the_other_dtypes() -> None:
    with pytest.raises(CacheError, match=r"exceeds 65504, set `cache\.dtype: bf16` or `fp32`"):
        to_storage(np.full((1, 1), np.inf, np.float16), dtype="fp16")


@pytest.mark.parametrize(("dtype", "given_dtype"), [("fp16", np.float64), ("fp32", np.float16), ("bf16", np.int16)])
def test_another_dtype_is_refused(dtype: Dtype, given_dtype: Any) -> None:
    with pytest.raises(TypeError, match="`array` must be float32 or"):
        to_storage(np.zeros((1, 1), given_dtype), dtype=dtype)


def test_the_size_on_disk_is_an_upper_bound_that_is_tight() -> None:
    assert size_of(150, dim=384, dtype="fp16") == 150 * 384 * 2 + 160 + 1024
    assert size_of(150, dim=384, dtype="fp32") - size_of(150, dim=384, dtype="bf16") == 150 * 384 * 2
