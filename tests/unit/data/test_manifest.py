import json
import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.errors import ChangedFileError, DataProblemsError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SECONDS = st.one_of(st.integers(0, 1000), st.floats(0, 1000))


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(st.none() | SECONDS)
    metadata = draw(st.dictionaries(st.sampled_from(["gender", "turn_index", "x y", "ghi chú"]), TEXT | st.integers()))
    return {
        "speaker_id": draw(st.none() | IDS),
        "wav_path": draw(st.none() | IDS),
        "start": start,
        "end": (start or 0) + draw(st.floats(0.01, 100)),
        "transcript": draw(st.none() | TEXT),
        "emotion": draw(st.none() | IDS),
        **metadata,
    }


@given(
    contents=st.lists(rows(), min_size=1, max_size=8),
    newline=st.sampled_from([b"\n", b"\r\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    ascii_only=st.booleans(),
    ending=st.sampled_from([b"", b"\n", b"\n\r\n \n"]),
)
def test_every_row_comes_back_as_written_in_any_order(
    tmp_path_factory: pytest.TempPathFactory,
    contents: list[dict[str, Any]],
    newline: bytes,
    mark: bytes,
    ascii_only: bool,
    ending: bytes,
) -> None:
    folder = tmp_path_factory.mktemp("split")
    written = [{"utterance_id": f"id {number} ắ", **row} for number, row in enumerate(contents)]
    encoded = [json.dumps(row, ensure_ascii=ascii_only).encode() for row in written]
    path = folder / "split.jsonl"
    path.write_bytes(mark + newline.join(encoded) + ending)
    manifest = Manifest.open([ManifestSource(path=path)], require_labels=False)
    utterances = list(manifest)
    assert [manifest[position] for position in reversed(range(len(manifest)))] == utterances[::-1]
    assert len(utterances) == len(written)
    for position, (row, utterance) in enumerate(zip(written, utterances, strict=True)):
        has_audio = row["wav_path"] is not None
        assert utterance.utterance_id == row["utterance_id"]
        assert utterance.speaker_id == row["speaker_id"]
        wav_path = row["wav_path"]
        is_relative = has_audio and not wav_path.startswith("/")
        assert utterance.wav_path == (f"{folder}/{wav_path}" if is_relative else wav_path)
        assert (utterance.start, utterance.end) == (row["start"], row["end"])
        assert utterance.transcript == row["transcript"]
        assert utterance.label == row["emotion"]
        assert utterance.place == f"{path}:{position + 1}"
        known = {"utterance_id", "speaker_id", "wav_path", "start", "end", "transcript", "emotion"}
        assert utterance.metadata == {name: value for name, value in row.items() if name not in known}
        seconds = row["end"] - (row["start"] or 0) if has_audio else 0
        assert manifest.sizes.audio_seconds[position] == np.float32(seconds)
        assert manifest.sizes.text_words[position] == len((row["transcript"] or "").split())
        code = manifest.sizes.labels[position]
        assert (manifest.label_names[code] if code >= 0 else None) == row["emotion"]
        speaker = manifest.speakers.codes[position]
        assert (manifest.speakers.names[speaker] if speaker >= 0 else None) == row["speaker_id"]


def test_label_maps_rename_and_leave_out(make_row: Callable[..., Any], write_manifest: Callable[..., Path]) -> None:
    first = write_manifest(*(make_row(attitude=name) for name in ("vui", "khác", "giận")), name="a.jsonl")
    second = write_manifest(make_row(attitude="khác"), make_row(attitude="joy"), name="b.jsonl")
    sources = [
        ManifestSource(path=first, label_map={"vui": "joy", "khác": None}),
        ManifestSource(path=second),
    ]
    manifest = Manifest.open(sources, label_field="attitude", require_labels=True)
    assert [utterance.label for utterance in manifest] == ["joy", "giận", "khác", "joy"]
    assert manifest.num_left_out == 1
    assert manifest.label_names == ("giận", "joy", "khác")
    assert manifest.sizes.labels.tolist() == [1, 0, 2, 1]
    assert manifest[0].metadata == {"emotion": "happy"}
    given = Manifest.open(sources, label_field="attitude", labels=["khác", "joy", "giận"], require_labels=True)
    assert given.sizes.labels.tolist() == [1, 2, 0, 1]


def test_relative_audio_lies_beside_the_manifest_or_below_the_root(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_manifest(make_row(wav_path="a/b.wav", end=1), make_row(wav_path="/c.wav", end=1))
    beside = Manifest.open([ManifestSource(path=path)], require_labels=True)
    below = Manifest.open([ManifestSource(path=path, root=tmp_path / "root")], require_labels=True)
    assert [utterance.wav_path for utterance in beside] == [str(tmp_path / "a/b.wav"), "/c.wav"]
    assert [utterance.wav_path for utterance in below] == [str(tmp_path / "root/a/b.wav"), "/c.wav"]


def test_a_null_end_takes_the_duration_of_the_recording(
    make_row: Callable[..., Any],
    write_manifest: Callable[..., Path],
    write_audio: Callable[..., Path],
    open_manifest: Callable[..., Manifest],
) -> None:
    write_audio("a.flac", seconds=1.5)
    path = write_manifest(make_row(wav_path="a.flac"), make_row(wav_path="a.flac", start=0.5))
    assert open_manifest(path).sizes.audio_seconds.tolist() == [1.5, 1.0]
    path = write_manifest(make_row(wav_path="a.flac", start=1.5))
    with pytest.raises(DataProblemsError, match=r"the segment starts at 1.5 s, but `.*a.flac` lasts only 1.5 s"):
        open_manifest(path)


def test_unlabelled_rows_pass_where_labels_are_not_required(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> None:
    path = write_manifest(make_row(emotion=...), make_row(emotion=None), make_row(speaker_id=None))
    manifest = open_manifest(path, require_labels=False)
    assert manifest.sizes.labels.tolist() == [-1, -1, 0]
    assert manifest.speakers.codes.tolist() == [0, 0, -1]


def test_a_manifest_that_changes_under_the_index_is_refused(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> None:
    path = write_manifest(make_row(), make_row())
    manifest = open_manifest(path)
    assert manifest[1].utterance_id == "u2"
    path.write_bytes(path.read_bytes()[5:])
    with pytest.raises(ChangedFileError, match="has changed since it was opened"):
        manifest[1]
    with pytest.raises(ChangedFileError, match="has changed since it was opened"):
        list(manifest)
    path.unlink()
    with pytest.raises(ChangedFileError, match="has changed since it was opened"):
        manifest[0]


def test_positions_outside_are_index_errors(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> None:
    manifest = open_manifest(write_manifest(make_row()))
    for position in (-1, 1):
        with pytest.raises(IndexError, match="must lie between 0 and 0"):
            manifest[position]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # others' threads; 3.12
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_the_same_rows(
    make_row: Callable[..., Any],
    write_manifest: Callable[..., Path],
    open_manifest: Callable[..., Manifest],
    method: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    write_manifest(*(make_row() for _ in range(20)))
    monkeypatch.chdir(tmp_path)
    manifest = open_manifest(Path("split.jsonl"))
    copy = pickle.loads(pickle.dumps(manifest))  # noqa: S301  # our own bytes
    assert list(copy) == list(manifest)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(manifest.__getitem__, range(20)) == list(manifest)
