"""Limits of a batch as rows, and cutting an order into as few batches as can be."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.data.batch_params import BatchLimits
from vietmer_core.data.batching import (
    batches_in_order,
    batches_shuffled,
    cut,
    epoch_generator,
    mixed_lengths,
    row_limits,
    sorting_lengths,
)
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import AssemblyError, TooLongError


def sizes_of(seconds: Sequence[float], words: Sequence[int] | None = None) -> UtteranceSizes:
    return UtteranceSizes(
        audio_seconds=np.asarray(seconds, np.float32),
        text_words=np.asarray(words if words is not None else [0] * len(seconds), np.int32),
        labels=np.zeros(len(seconds), np.int32),
    )


def rows_of(sizes: UtteranceSizes, *, canonical: bool = False, **limits: int | None) -> list[int]:
    rows: list[int] = row_limits(sizes, BatchLimits.model_validate(limits), canonical=canonical).tolist()
    return rows


def test_the_least_of_the_limits_holds() -> None:
    sizes = sizes_of([1.0, 2.0, 10.0, 0.0], [10, 1, 1, 40])
    assert rows_of(sizes, batch_size=4) == [4, 4, 4, 4]
    assert rows_of(sizes, max_frames=1000) == [20, 10, 2, 1000]
    assert rows_of(sizes, max_tokens=40) == [4, 40, 40, 1]
    assert rows_of(sizes, batch_size=6, max_frames=1000, max_tokens=40) == [4, 6, 2, 1]


def test_a_budget_counts_the_edges_where_they_are_what_is_computed() -> None:
    sizes = sizes_of([1.02], [17])  # 51 frames in an edge of 52, 17 words in one of 32
    assert rows_of(sizes, max_frames=102) == [2]
    assert rows_of(sizes, max_frames=103, canonical=True) == [1]
    assert rows_of(sizes, max_tokens=63, canonical=True) == [1]
    assert rows_of(sizes, max_tokens=64, canonical=True) == [2]


@pytest.mark.parametrize(
    ("limits", "canonical", "index", "sentence"),
    [
        (
            {"max_frames": 499},
            False,
            2,
            (
                "`sampler.max_frames` must be at least 500, to hold the longest utterance of the split (position 2, "
                "from 0: 500 frames of 20 ms of audio), but is 499 instead. Raise it, or leave the utterance out."
            ),
        ),
        (
            {"max_tokens": 39, "max_frames": 500},
            False,
            1,
            (
                "`sampler.max_tokens` must be at least 40, to hold the longest utterance of the split (position 1, "
                "from 0: 40 words of transcript), but is 39 instead. Raise it, or leave the utterance out."
            ),
        ),
        (
            {"max_tokens": 47},
            True,
            1,
            (
                "`sampler.max_tokens` must be at least 48, to hold the longest utterance of the split (position 1, "
                "from 0: 40 words of transcript, 48 at its canonical edge), but is 47 instead. Raise it, or leave the "
                "utterance out."
            ),
        ),
    ],
)
def test_an_utterance_longer_than_a_budget_is_named(
    limits: dict[str, int], canonical: bool, index: int, sentence: str
) -> None:
    with pytest.raises(TooLongError) as caught:
        rows_of(sizes_of([1, 2, 10, 3], [3, 40, 2, 5]), canonical=canonical, **limits)
    assert (caught.value.index, str(caught.value)) == (index, sentence)
    assert isinstance(caught.value, AssemblyError)


def test_the_mixed_length_counts_words_in_seconds() -> None:
    sizes = sizes_of([1.5, 0.0, 2.0], [10, 5, 0])
    np.testing.assert_allclose(mixed_lengths(sizes, alpha=0.03), [1.8, 0.15, 2.0], rtol=1e-12)
    np.testing.assert_array_equal(sorting_lengths(sizes, BatchLimits(), alpha=0.03), mixed_lengths(sizes, alpha=0.03))


def test_with_a_budget_the_length_is_the_larger_share_of_it() -> None:
    sizes = sizes_of([1.5, 0.0, 2.0], [10, 5, 0])
    both = sorting_lengths(sizes, BatchLimits(max_frames=1000, max_tokens=100), alpha=0.03)
    np.testing.assert_allclose(both, [0.1, 0.05, 0.1], rtol=1e-12)
    one = sorting_lengths(sizes, BatchLimits(max_frames=1000), alpha=0.03)
    np.testing.assert_allclose(one, [0.075, 0, 0.1], rtol=1e-12)


def fits(rows: NDArray[np.int64], batch: Sequence[int]) -> bool:
    return len(batch) <= int(rows[list(batch)].min())


@given(rows=st.lists(st.integers(1, 9), max_size=60))
def test_a_cut_makes_batches_that_fit_and_hold_every_row_once(rows: list[int]) -> None:
    limits = np.array(rows, np.int64)
    batches = batches_in_order(np.arange(len(rows)), cut(limits))
    assert [index for batch in batches for index in batch] == list(range(len(rows)))
    assert all(fits(limits, batch) for batch in batches)
    assert not any(fits(limits, [*batch, following[0]]) for batch, following in pairwise(batches))


def groupings(items: list[int]) -> Iterator[list[list[int]]]:
    """Every way to part items into groups."""
    if not items:
        yield []
        return
    for groups in groupings(items[1:]):
        for place in range(len(groups)):
            yield [*groups[:place], [items[0], *groups[place]], *groups[place + 1 :]]
        yield [[items[0]], *groups]


@given(rows=st.lists(st.integers(1, 5), min_size=1, max_size=7), upwards=st.booleans())
def test_no_grouping_has_fewer_batches_than_a_cut_of_the_sorted_order(rows: list[int], upwards: bool) -> None:
    limits = np.sort(np.array(rows, np.int64))
    found = len(cut(limits if upwards else limits[::-1]))
    best = min(
        len(groups) for groups in groupings(list(range(len(rows)))) if all(fits(limits, group) for group in groups)
    )
    assert found == best


def test_an_order_that_is_not_sorted_takes_more_batches() -> None:  # the control of the test above
    assert len(cut(np.array([4, 1, 4, 1, 4, 4]))) == 5
    assert len(cut(np.array([1, 1, 4, 4, 4, 4]))) == 3


def test_shuffled_batches_are_the_same_batches() -> None:
    order, starts = np.arange(50), np.arange(0, 50, 4)
    shuffled = batches_shuffled(order, starts, epoch_generator(0, 1))
    assert shuffled != batches_in_order(order, starts)
    assert sorted(shuffled) == batches_in_order(order, starts)


def test_the_random_numbers_of_an_epoch_are_the_same_on_every_machine() -> None:
    assert epoch_generator(7, 3).integers(0, 1000, 4).tolist() == [727, 975, 538, 884]
