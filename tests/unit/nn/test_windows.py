"""Windows over a long sequence cover it, and keep every frame once."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.nn.windows import Window, plan_windows


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, int, int]:
    """Frames, window and overlap."""
    window = draw(st.integers(1, 40))
    return draw(st.integers(0, 300)), window, draw(st.integers(0, window - 1))


def kept(windows: tuple[Window, ...]) -> list[int]:
    return [frame for window in windows for frame in range(window.keep_start, window.keep_stop)]


@given(plans())
def test_every_frame_is_kept_from_exactly_one_window(plan: tuple[int, int, int]) -> None:
    num_frames, window, overlap = plan
    windows = plan_windows(num_frames, window=window, overlap=overlap)
    assert kept(windows) == list(range(num_frames))
    for one in windows:
        assert 0 <= one.start <= one.keep_start < one.keep_stop <= one.stop <= num_frames
        assert one.stop - one.start == min(window, num_frames)


@given(plans())
def test_neighbours_share_at_least_the_overlap_and_meet_in_its_middle(plan: tuple[int, int, int]) -> None:
    num_frames, window, overlap = plan
    for left, right in pairwise(plan_windows(num_frames, window=window, overlap=overlap)):
        assert left.stop - right.start >= overlap
        before, after = left.keep_stop - right.start, left.stop - right.keep_start
        assert abs(before - after) <= 1, "both sides read about as far beyond the border"


@given(plans())
def test_no_window_is_read_in_vain(plan: tuple[int, int, int]) -> None:
    num_frames, window, overlap = plan
    windows = plan_windows(num_frames, window=window, overlap=overlap)
    step = window - overlap
    least = 0 if not num_frames else 1 + max(0, -(-(num_frames - window) // step))
    assert len(windows) == least


def test_an_example() -> None:
    assert plan_windows(10, window=6, overlap=2) == (
        Window(start=0, stop=6, keep_start=0, keep_stop=5),
        Window(start=4, stop=10, keep_start=5, keep_stop=10),
    )


@pytest.mark.parametrize("overlap", [-1, 6, 7])
def test_an_overlap_that_leaves_no_step_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match=rf"`overlap` must be from 0 to 5 frames, but is {overlap} instead"):
        plan_windows(10, window=6, overlap=overlap)
