"""Spans of equal samples do not depend on the blocks in which a recording is read."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.data.check import check_split
from vietmer_core.data.manifest import ManifestSource
from vietmer_core.data.silence import EqualSpan, EqualSpans

RATE = 30  # so that a span of three samples is kept
Frames = NDArray[np.float32]
Find = Callable[[Frames, list[int]], list[EqualSpan]]


def by_blocks(frames: Frames, cuts: list[int]) -> list[EqualSpan]:
    spans = EqualSpans(RATE)
    for block in np.split(frames, sorted(cuts)):
        spans.add(block)
    return list(spans.spans())


def forgetting_the_block_before(frames: Frames, cuts: list[int]) -> list[EqualSpan]:
    found, read = [], 0
    for block in np.split(frames, sorted(cuts)):
        found += [(start + read, stop + read, value) for start, stop, value in by_blocks(block, [])]
        read += len(block)
    return found


def sample_by_sample(frames: Frames) -> list[EqualSpan]:
    ends = [0, *(i for i in range(1, len(frames)) if (frames[i] != frames[i - 1]).any()), len(frames)]
    spans = [(start, stop, float(frames[start].mean())) for start, stop in pairwise(ends)]
    return [span for span in spans if span[1] - span[0] >= 3 or span[:2] == (0, len(frames))]


@st.composite
def recordings(draw: st.DrawFn) -> tuple[Frames, list[int]]:
    rows = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
    cuts = draw(st.lists(st.integers(0, len(rows)), max_size=5))
    return np.array(rows, dtype=np.float32), cuts


def check_blocks(find: Find) -> None:
    @given(recording=recordings())
    def check(recording: tuple[Frames, list[int]]) -> None:
        frames, cuts = recording
        assert find(frames, cuts) == sample_by_sample(frames)

    check()


def test_the_blocks_do_not_matter() -> None:
    check_blocks(by_blocks)


def test_forgetting_the_block_before_is_caught() -> None:
    with pytest.raises(AssertionError):
        check_blocks(forgetting_the_block_before)


def test_a_segment_without_sound_is_refused_in_the_words_of_training(
    tmp_path: Path, make_row: Callable[..., Any], write_manifest: Callable[..., Path]
) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    soundfile.write(tmp_path / "call.wav", np.concatenate([sound, np.zeros(16_000), sound]), 16_000)
    spans = ((0, 1), (1.1, 1.9), (1.1, 2.1), (1, 2))
    rows = [make_row(wav_path="call.wav", start=start, end=end) for start, end in spans]
    report = check_split([ManifestSource(path=write_manifest(*rows))])
    assert [(finding.line, finding.fault.code) for finding in report.findings] == [
        (2, "silent-audio"),
        (4, "silent-audio"),
    ]
    fault = report.findings[0].fault
    assert fault.message == "the audio must hold sound, but each of its 12800 samples is 0 instead."
    assert fault.remedy == "Leave the row out, or set its `wav_path` to null."
