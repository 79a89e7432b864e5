from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from rich.console import Console

from vietmer_core.data.manifest import Manifest
from vietmer_core.data.stats import SplitStatistics, describe, summarise
from vietmer_core.data.stats_picture import draw_statistics
from vietmer_core.data.stats_table import print_statistics
from vietmer_core.errors import DataError

OpenManifest = Callable[..., Manifest]


@pytest.fixture
def mixed_split(make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: OpenManifest) -> Any:
    rows = [
        make_row(wav_path="a.wav", start=1, end=3, speaker_id="Thảo"),
        make_row(wav_path="a.wav", start=3, end=4, transcript=" ", speaker_id="Thảo"),
        make_row(transcript="một hai", emotion="buồn bã [b]", speaker_id=None),
        make_row(transcript="", emotion=None),
    ]
    return summarise(open_manifest(write_manifest(*rows), require_labels=False))


def test_the_numbers_of_a_small_split(mixed_split: SplitStatistics) -> None:
    assert mixed_split.num_utterances == 4
    assert mixed_split.modalities == {"audio and text": 1, "audio only": 1, "text only": 1, "neither": 1}
    seconds = mixed_split.seconds
    assert (seconds.count, seconds.total, seconds.min, seconds.median, seconds.max) == (2, 3, 1, 1.5, 2)
    assert (mixed_split.words.total, mixed_split.words.mean) == (5, 2.5)
    assert mixed_split.classes == {"happy": 2, "buồn bã [b]": 1}
    assert mixed_split.num_unlabelled == 1
    assert mixed_split.speakers == {"Thảo": 2, "lan": 1}
    assert mixed_split.num_unknown_speaker == 1
    assert mixed_split.utterances_per_speaker.max == 2


@given(values=st.lists(st.floats(0, 1e4, width=32), min_size=1, max_size=40))
def test_a_histogram_counts_every_value(values: list[float]) -> None:
    for array in (np.array(values, dtype=np.float32), np.array(values).astype(np.int32)):
        distribution = describe(array)
        assert sum(distribution.counts) == len(values) == distribution.count
        assert distribution.edges[0] == 0
        assert distribution.edges[-1] >= distribution.max
        assert len(distribution.edges) == len(distribution.counts) + 1 <= 33
        assert distribution.min <= distribution.median <= distribution.p95 <= distribution.max


def test_the_table_shows_labels_as_they_are(mixed_split: SplitStatistics) -> None:
    stream = StringIO()
    print_statistics(mixed_split, Console(file=stream, width=100))
    text = stream.getvalue()
    for expected in ("4 utterances", "buồn bã [b]", "(no label)", "audio and text", "unknown speaker: 1"):
        assert expected in text


def test_many_classes_are_gathered_in_the_table(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: OpenManifest
) -> None:
    rows = [make_row(emotion=f"cảm xúc {number % 40:02d}") for number in range(79)]
    statistics = summarise(open_manifest(write_manifest(*rows)))
    stream = StringIO()
    print_statistics(statistics, Console(file=stream, width=100))
    assert "cảm xúc 23" in stream.getvalue()
    assert "cảm xúc 24" not in stream.getvalue()
    assert "16 others together" in stream.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_picture_is_written(mixed_split: SplitStatistics, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"split{suffix}"
    draw_statistics(mixed_split, path)
    assert path.stat().st_size > 1_000
    if suffix == ".png":
        assert imread(path).std() > 0.05


def test_the_picture_takes_awkward_names_and_empty_parts(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: OpenManifest, tmp_path: Path
) -> None:
    names = ["$x_1$ lo lắng", "$", "dài " * 30, "hai\ndòng", *(f"lớp {number}" for number in range(40))]
    heights = []
    for labels in (names[:3], names):
        path = write_manifest(*(make_row(emotion=label, speaker_id=None) for label in labels))
        draw_statistics(summarise(open_manifest(path)), tmp_path / "split.png")
        heights.append(imread(tmp_path / "split.png").shape[0])
    assert heights[1] > heights[0] + 200


def test_a_picture_that_cannot_be_written_gives_a_sentence(mixed_split: SplitStatistics, tmp_path: Path) -> None:
    for name, reason in {"none/split.png": "No such file", "split.xyz": "not supported"}.items():
        with pytest.raises(DataError, match=reason) as error:
            draw_statistics(mixed_split, tmp_path / name)
        assert str(tmp_path / name) in str(error.value)
