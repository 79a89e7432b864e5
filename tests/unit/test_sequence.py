import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vietmer_core.sequence import MaskedSequence, mask_from_lengths, pad_rows


def sequence(features: Tensor, *lengths: int) -> MaskedSequence:
    return MaskedSequence(features=features, lengths=torch.tensor(lengths, dtype=torch.int64))


def refusal(features: Tensor, lengths: Tensor) -> str:
    with pytest.raises(ValueError, match=r"^`\w+` must .* instead\.$") as caught:
        MaskedSequence(features=features, lengths=lengths)
    return str(caught.value)


def test_features_need_the_axes_batch_and_time() -> None:
    said = refusal(torch.zeros(3), torch.zeros(3, dtype=torch.int64))
    assert said == (
        "`features` must have at least the axes (batch, time), but is float32 of shape (3,) on cpu instead."
    )


def test_lengths_must_be_int64() -> None:
    said = refusal(torch.zeros(8, 4, 2), torch.zeros(8, dtype=torch.int32))
    assert said == (
        "`lengths` must be int64 of shape (8,) to match `features`, but is int32 of shape (8,) on cpu instead."
    )


@pytest.mark.parametrize("shape", [(7,), (8, 1), ()])
def test_lengths_must_have_one_number_a_row(shape: tuple[int, ...]) -> None:
    said = refusal(torch.zeros(8, 4, 2), torch.zeros(shape, dtype=torch.int64))
    assert f"`lengths` must be int64 of shape (8,) to match `features`, but is int64 of shape {shape}" in said


def test_lengths_must_be_on_the_device_of_the_features() -> None:
    said = refusal(torch.zeros(2, 4, 2, device="meta"), torch.zeros(2, dtype=torch.int64))
    assert said == "`lengths` must be on meta like `features`, but is int64 of shape (2,) on cpu instead."


@pytest.mark.parametrize(("lengths", "row", "found"), [((1, 5), 1, 5), ((-1, 2), 0, -1)])
def test_values_are_checked_on_demand(lengths: tuple[int, ...], row: int, found: int) -> None:
    made = sequence(torch.zeros(2, 4, 1), *lengths)  # never at construction: that would wait for the GPU
    with pytest.raises(ValueError, match=rf"^`lengths\[{row}\]` must lie between 0 and 4, but is {found} instead\.$"):
        made.check_values()


def test_the_mask_is_true_at_real_frames() -> None:
    mask = sequence(torch.zeros(3, 4, 1), 0, 2, 4).mask
    assert mask.tolist() == [[False] * 4, [True, True, False, False], [True] * 4]
    assert mask_from_lengths(torch.tensor([1]), 0).shape == (1, 0)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e4])
def test_zeroed_removes_whatever_the_padding_holds_gradient_included(poison: float) -> None:
    features = torch.full((2, 3, 2), poison)
    features[0, :2] = 1.0
    features[1, :1] = 2.0
    features.requires_grad_()
    cleaned = sequence(features, 2, 1).zeroed().features
    cleaned.square().sum().backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    assert cleaned[0].tolist() == [[1, 1], [1, 1], [0, 0]]
    assert cleaned[1].tolist() == [[2, 2], [0, 0], [0, 0]]
    assert features.grad is not None
    assert features.grad[0].tolist() == [[2, 2], [2, 2], [0, 0]]
    assert features.grad[1].tolist() == [[4, 4], [0, 0], [0, 0]]


def test_multiplying_by_the_mask_would_let_nan_through() -> None:
    made = sequence(torch.full((1, 2, 1), math.nan), 1)
    assert (made.features * made.mask[..., None])[0, 1].isnan().all()
    assert not made.zeroed().features[0, 1].isnan().any()


@pytest.mark.parametrize("trailing", [(), (3,), (3, 2)])
def test_zeroed_works_at_any_number_of_trailing_axes(trailing: tuple[int, ...]) -> None:
    cleaned = sequence(torch.ones(2, 4, *trailing), 1, 3).zeroed().features
    assert cleaned.shape == (2, 4, *trailing)
    assert cleaned.sum() == 4 * math.prod(trailing)


def test_ids_stay_whole_numbers() -> None:
    cleaned = sequence(torch.ones(1, 3, 2, dtype=torch.int64), 2).zeroed().features
    assert cleaned.dtype == torch.int64
    assert cleaned.tolist() == [[[1, 1], [1, 1], [0, 0]]]


def test_a_sequence_cannot_be_changed() -> None:
    made = sequence(torch.zeros(1, 1, 1), 1)
    with pytest.raises(AttributeError):
        made.lengths = torch.zeros(1, dtype=torch.int64)  # type: ignore[misc]  # refused at run time too


def test_other_features_keep_the_lengths() -> None:
    made = sequence(torch.zeros(2, 3, 1), 1, 3)
    assert made.with_features(torch.ones(2, 3, 5)).lengths is made.lengths
    with pytest.raises(ValueError, match=re.escape("`lengths` must be int64 of shape (3,)")):
        made.with_features(torch.ones(3, 3, 5))


def test_to_moves_every_tensor() -> None:
    made = sequence(torch.zeros(2, 3, 1), 1, 3)
    moved = made.to("meta")
    assert (moved.features.device.type, moved.lengths.device.type, moved.draws) == ("meta", "meta", None)
    draws = made.with_draws(torch.tensor([5, 6])).to("meta").draws
    assert draws is not None
    assert draws.device.type == "meta"


@pytest.mark.parametrize(
    ("draws", "found"),
    [
        (torch.zeros(2), "float32 of shape (2,)"),
        (torch.zeros(3, dtype=torch.int64), "int64 of shape (3,)"),
        (torch.zeros(2, 1, dtype=torch.int64), "int64 of shape (2, 1)"),
    ],
)
def test_draws_must_have_one_number_a_row(draws: Tensor, found: str) -> None:
    made = sequence(torch.zeros(2, 4, 1), 1, 2)
    rule = f"`draws` must be int64 of shape (2,) to match `features`, but is {found} on cpu instead."
    with pytest.raises(ValueError, match=re.escape(rule)):
        made.with_draws(draws)


def test_draws_must_be_on_the_device_of_the_features() -> None:
    with pytest.raises(ValueError, match=r"^`draws` must be on cpu like `features`"):
        sequence(torch.zeros(2, 4, 1), 1, 2).with_draws(torch.zeros(2, dtype=torch.int64, device="meta"))


def test_draws_stay_with_their_rows() -> None:
    made = sequence(torch.zeros(2, 3, 1), 1, 3)
    draws = torch.tensor([5, 6])
    assert made.draws is None
    drawn = made.with_draws(draws)
    assert drawn.draws is drawn.zeroed().draws is drawn.with_features(torch.ones(2, 4, 2)).draws is draws
    assert drawn.with_draws(None).draws is None
    assert drawn.lengths is made.lengths


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pages are locked for a GPU")
def test_draws_are_pinned() -> None:
    pinned = sequence(torch.zeros(2, 3, 1), 1, 3).with_draws(torch.tensor([5, 6])).pin_memory()
    assert pinned.draws is not None
    assert pinned.draws.is_pinned()


@pytest.mark.parametrize("draws", [None, torch.tensor([5, 6])])
def test_a_sequence_can_be_made_inside_of_a_compiled_graph(draws: Tensor | None) -> None:
    def doubled(given: MaskedSequence) -> MaskedSequence:
        return given.zeroed().with_features(2 * given.features).zeroed()

    made = sequence(torch.ones(2, 3, 1), 1, 3).with_draws(draws)
    found = torch.compile(doubled, backend="eager", fullgraph=True)(made)
    assert torch.equal(found.features, doubled(made).features)
    assert (None if found.draws is None else found.draws.tolist()) == (None if draws is None else draws.tolist())


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5), extra=st.integers(0, 3))
def test_pad_rows_puts_each_row_first_and_zeros_behind_it(lengths: list[int], extra: int) -> None:
    rows = [torch.arange(1.0, 2 * length + 1).reshape(length, 2) for length in lengths]
    width = max(lengths) + extra
    made = pad_rows(rows, time=width)
    assert made.features.shape == (len(rows), width, 2)
    assert made.lengths.tolist() == lengths
    for row, padded, length in zip(rows, made.features, lengths, strict=True):
        assert torch.equal(padded[:length], row)
        assert not padded[length:].any()


def test_pad_rows_is_as_wide_as_its_longest_row_by_default() -> None:
    made = pad_rows([torch.ones(2, 3), torch.ones(0, 3)])
    assert made.features.shape == (2, 2, 3)
    assert made.lengths.tolist() == [2, 0]


def test_pad_rows_keeps_the_dtype_and_takes_rows_without_trailing_axes() -> None:
    made = pad_rows([torch.tensor([7, 8]), torch.tensor([9])])
    assert made.features.tolist() == [[7, 8], [9, 0]]
    assert made.features.dtype == torch.int64
