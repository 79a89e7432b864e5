import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vietmer_core.nn.packing import concatenate_in_time
from vietmer_core.sequence import MaskedSequence

Rows = list[tuple[int, int]]
ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5)


def poisoned(lengths: list[int], width: int, start: float) -> MaskedSequence:
    """Distinct numbers at real frames, NaN in the padding."""
    features = torch.full((len(lengths), width, 2), torch.nan, dtype=torch.float64)
    for row, length in enumerate(lengths):
        features[row, :length] = start + 100 * row + torch.arange(2.0 * length).reshape(length, 2)
    return MaskedSequence(features=features, lengths=torch.tensor(lengths))


def naive(first: MaskedSequence, second: MaskedSequence) -> tuple[Tensor, list[int]]:
    """One row after another, in the plainest way."""
    width = first.features.shape[1] + second.features.shape[1]
    rows, lengths = [], []
    for row in range(len(first.lengths)):
        left = first.features[row, : int(first.lengths[row])]
        right = second.features[row, : int(second.lengths[row])]
        lengths.append(len(left) + len(right))
        rows.append(torch.cat([left, right, left.new_zeros(width - lengths[-1], 2)]))
    return torch.stack(rows), lengths


@given(rows=ROWS, extra=st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_the_result_is_that_of_a_plain_loop_whatever_the_padding(rows: Rows, extra: tuple[int, int]) -> None:
    first_lengths, second_lengths = [first for first, _ in rows], [second for _, second in rows]
    first = poisoned(first_lengths, max(first_lengths) + extra[0], 1.0)
    second = poisoned(second_lengths, max(second_lengths) + extra[1], 1000.0)
    made = concatenate_in_time(first, second)
    features, lengths = naive(first, second)
    assert made.lengths.tolist() == lengths
    assert torch.equal(made.features, features)


def test_gradients_reach_real_frames_once_and_padding_never() -> None:
    first, second = poisoned([2, 0], 3, 1.0), poisoned([1, 2], 2, 50.0)
    first.features.requires_grad_()
    second.features.requires_grad_()
    concatenate_in_time(first, second).features.sum().backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    for sequence in (first, second):
        assert sequence.features.grad is not None
        assert torch.equal(sequence.features.grad, sequence.mask[..., None].expand(-1, -1, 2).double())


def test_no_frames_at_all_are_legal() -> None:
    made = concatenate_in_time(poisoned([0, 0], 0, 1.0), poisoned([0, 0], 0, 1.0))
    assert made.features.shape == (2, 0, 2)
    assert made.lengths.tolist() == [0, 0]


def test_plain_concatenation_would_leave_padding_between_the_two() -> None:
    first, second = poisoned([1], 2, 1.0), poisoned([1], 1, 50.0)
    plain = torch.cat([first.features, second.features], dim=1)
    assert not torch.equal(plain, concatenate_in_time(first, second).features)
