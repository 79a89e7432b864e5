"""The edges and rows of canonical shapes."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.shapes import (
    AUDIO_STEP,
    FIRST_FRAMES,
    FRAMES_PER_SECOND,
    TEXT_STEP,
    FrontendEdges,
    PassRows,
    audio_edge,
    audio_edges,
    frames_of,
    text_edge,
    text_edges,
)


@given(num_frames=st.integers(1, 10**7))
def test_an_audio_edge_holds_its_frames_and_wastes_little(num_frames: int) -> None:
    edge = audio_edge(num_frames)
    assert edge >= num_frames
    assert audio_edge(edge) == edge
    assert edge == FIRST_FRAMES or edge < num_frames * AUDIO_STEP + 1


@given(num_tokens=st.integers(1, 10**6))
def test_a_text_edge_is_the_next_multiple(num_tokens: int) -> None:
    edge = text_edge(num_tokens)
    assert edge % TEXT_STEP == 0
    assert num_tokens <= edge < num_tokens + TEXT_STEP


def test_an_absent_modality_has_no_width() -> None:
    assert audio_edge(0) == text_edge(0) == 0
    assert FrontendEdges(lambda samples: samples // 160, sampling_rate=16_000).edge(0) == (0, 0)


@given(numbers=st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_arrays_have_the_edges_of_their_numbers(numbers: list[int]) -> None:
    array = np.array(numbers, np.int64)
    assert audio_edges(array).tolist() == [audio_edge(number) for number in numbers]
    assert text_edges(array).tolist() == [text_edge(number) for number in numbers]


def test_there_are_few_edges_below_half_a_minute() -> None:
    assert len({audio_edge(frames) for frames in range(1, 30 * FRAMES_PER_SECOND)}) <= 80


def test_seconds_are_counted_in_whole_frames() -> None:
    assert frames_of(np.array([0.0, 0.019, 0.02, 0.021, 1.0, 2.5], np.float32)).tolist() == [0, 1, 1, 2, 50, 125]


def wav2vec2_frames(num_samples: int) -> int:
    return num_samples


def mel_frames(num_samples: int) -> int:
    return -(-num_samples // 160)


@pytest.mark.parametrize("num_frames", [wav2vec2_frames, mel_frames])
@given(num_samples=st.integers(400, 16_000 * 60))
def test_a_frontends_edge_is_the_same_point_in_time_for_all(num_frames: object, num_samples: int) -> None:
    edges = FrontendEdges(num_frames, sampling_rate=16_000)  # type: ignore[arg-type]  # one of the two above
    length = num_frames(num_samples)  # type: ignore[operator]  # as above
    width, frames = edges.edge(length)
    assert width >= length
    assert frames == audio_edge(-(-num_samples // 320))
    assert width == num_frames(frames * 320)  # type: ignore[operator]  # as above


def test_what_no_edge_holds_keeps_its_own_width() -> None:
    width, _ = FrontendEdges(lambda samples: min(samples, 100), sampling_rate=16_000).edge(101)
    assert width == 101


@given(frames=st.integers(0, 3000), tokens=st.integers(0, 300))
def test_a_pass_never_exceeds_its_budgets_except_for_one_row(frames: int, tokens: int) -> None:
    rows = PassRows(frames=400, tokens=64, most=8).at(frames=frames, tokens=tokens)
    assert 1 <= rows <= 8
    assert rows == 1 or (rows * frames <= 400 and rows * tokens <= 64)


def test_shapes_need_no_torch() -> None:
    code = "import sys, vietmer_core.shapes; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
