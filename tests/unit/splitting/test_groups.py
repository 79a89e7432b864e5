"""Which rows stay together."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.splitting.groups import in_order, join_columns
from vietmer_core.splitting.plan import SplitPlan
from vietmer_core.splitting.settings import KeyPattern
from vietmer_core.splitting.table import Column, transcript_key

MakePlan = Callable[..., SplitPlan]
MakeRows = Callable[..., list[dict[str, Any]]]
CODES = st.integers(1, 12).flatmap(
    lambda rows: st.lists(st.lists(st.integers(-1, 4), min_size=rows, max_size=rows), min_size=1, max_size=3)
)


def column(codes: list[int]) -> Column:
    return Column(codes=np.array(codes, dtype=np.int64), names=tuple("abcde"))


def closure(columns: list[list[int]]) -> NDArray[np.bool_]:
    """Which rows a chain of shared values joins, worked out by Warshall's rule."""
    num_rows = len(columns[0])
    joined = np.eye(num_rows, dtype=bool)
    for codes in columns:
        joined |= np.equal.outer(codes, codes) & (np.array(codes) >= 0)
    for middle in range(num_rows):
        joined |= np.outer(joined[:, middle], joined[middle])
    return joined


@given(columns=CODES)
def test_rows_stand_together_exactly_where_a_chain_of_values_joins_them(columns: list[list[int]]) -> None:
    groups = join_columns([column(codes) for codes in columns], num_rows=len(columns[0]))
    assert (np.equal.outer(groups, groups) == closure(columns)).all()
    assert in_order(groups).tolist() == groups.tolist()


def test_without_the_second_criterion_the_chain_is_broken() -> None:  # the control of the test above
    columns = [[0, 0, 1], [-1, 2, 2]]
    assert join_columns([column(codes) for codes in columns], num_rows=3).tolist() == [0, 0, 0]
    assert join_columns([column(columns[0])], num_rows=3).tolist() == [0, 0, 1]


def test_rows_that_share_nothing_stand_alone() -> None:
    assert join_columns([], num_rows=3).tolist() == [0, 1, 2]
    assert join_columns([column([-1, -1])], num_rows=2).tolist() == [0, 1]


def groups_of(plan: SplitPlan) -> list[int]:
    found: list[int] = plan.groups.of_row.tolist()
    return found


def test_a_recording_is_shared_through_its_id_and_through_its_file(
    make_plan: MakePlan, make_rows: MakeRows, tmp_path: Path
) -> None:
    for name in ("a", "b", "c", "d", "e"):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF" + name.encode())
    fields = [
        ("a", "r1", "a"),
        ("b", "r1", "b"),
        ("c", None, "b"),
        ("d", "r2", "c"),
        ("e", None, "d"),
        ("f", None, "e"),
    ]
    rows = make_rows(
        *(
            {"speaker_id": speaker, "recording_id": recording, "wav_path": str(tmp_path / f"{name}.wav"), "end": 1.0}
            for speaker, recording, name in fields
        )
    )
    assert groups_of(make_plan(rows)) == [0, 0, 0, 1, 2, 3]
    assert groups_of(make_plan(rows, disjoint=("speaker",))) == [0, 1, 2, 3, 4, 5]


def test_a_file_under_two_names_is_one_recording(make_plan: MakePlan, make_rows: MakeRows, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "link.wav").symlink_to(tmp_path / "folder" / "a.wav")
    (tmp_path / "other").symlink_to(tmp_path / "folder")
    paths = ("folder/a.wav", "link.wav", "other/a.wav", "folder/../link.wav")
    rows = make_rows(
        *({"speaker_id": path, "wav_path": str(tmp_path / path), "end": 1.0} for path in paths), {"speaker_id": "x"}
    )
    assert groups_of(
        make_plan(
            [
                *rows,
                *(
                    {**row, "utterance_id": f"v{place}", "speaker_id": f"y{place}", "wav_path": None}
                    for place, row in enumerate(rows)
                ),
            ]
        )
    )[:5] == [0, 0, 0, 0, 1]


def test_a_name_written_by_two_hands_is_one(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(
        {"speaker_id": "Bình", "call_id": "c1"},
        {"speaker_id": "bi\u0300nh "},
        {"speaker_id": "An", "call_id": " C1"},
        {"speaker_id": "Cúc", "recording_id": 7},
        {"speaker_id": "Em", "recording_id": 7.0},
        {"speaker_id": "Gấm"},
        {"speaker_id": "Hoa"},
    )
    plan = make_plan(rows)
    assert groups_of(plan) == [0, 0, 0, 1, 1, 2, 3]
    assert plan.table.speakers.names == make_plan(rows[::-1]).table.speakers.names
    assert len(plan.table.speakers.names) == 6
    assert groups_of(make_plan(rows, disjoint=("speaker",))) == [0, 0, 1, 2, 3, 4, 5]


def test_bit_identical_audio_is_shared_where_its_content_counts(
    make_plan: MakePlan, make_rows: MakeRows, tmp_path: Path
) -> None:
    fields = []
    for name, content in (("a", b"x"), ("b", b"y"), ("c", b"x"), ("d", b"z")):
        (tmp_path / f"{name}.wav").write_bytes(content)
        fields.append({"speaker_id": name, "wav_path": str(tmp_path / f"{name}.wav"), "end": 1.0})
    rows = make_rows(*fields)
    assert groups_of(make_plan(rows)) == [0, 1, 2, 3]
    assert groups_of(make_plan(rows, disjoint=("speaker", "content"))) == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Tôi rất vui!", "tôi  rất vui", True),
        ("hoà bình", "hoà bình", True),
        ("ĐI THÔI...", "đi thôi", True),
        ("tôi rất vui", "tôi rất vui lắm", False),
        ("tôi rất vui", "toi rat vui", False),
        ("😡", "😡", True),
        ("😡", "😂", False),
    ],
)
def test_transcripts_of_the_same_words_are_the_same(first: str, second: str, same: bool) -> None:
    assert (transcript_key(first) == transcript_key(second)) is same


def test_rows_without_a_transcript_share_none() -> None:
    assert transcript_key(None) is None
    assert transcript_key("  ") is None


def test_any_field_and_any_pattern_may_join(make_plan: MakePlan, make_rows: MakeRows) -> None:
    rows = make_rows(
        {"utterance_id": "phim1-00.01", "call_id": 7},
        {"utterance_id": "phim1-00.02", "call_id": 8},
        {"utterance_id": "phim2-00.01", "call_id": 8},
        {"utterance_id": "phim3-00.01"},
        {"utterance_id": "clip4"},
    )
    assert groups_of(make_plan(rows, disjoint=("call_id",))) == [0, 1, 2, 2, 3]  # in the order of the ids: clip4 first
    pattern = KeyPattern(field="utterance_id", pattern=re.compile(r"^(.*?)-\d"))
    found = make_plan(rows, disjoint=(), patterns=(pattern,))
    assert groups_of(found) == [0, 1, 1, 2, 3]
    both = make_plan(rows, disjoint=("call_id",), patterns=(pattern,))
    assert groups_of(both) == [0, 1, 1, 1, 2]
