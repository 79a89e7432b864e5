"""What an export writes: segments without a change of any sample, names that every system takes, splits by name."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vietmer_core.data.croissant import CONFORMS_TO, DatasetFacts, describe, write_croissant
from vietmer_core.data.exporting import ExportedSplit, ExportSettings, export_splits
from vietmer_core.data.manifest import ManifestSource
from vietmer_core.data.segment_files import write_segment
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError

MakeRow = Callable[..., dict[str, Any]]
WriteManifest = Callable[..., Path]
WriteAudio = Callable[..., Path]

CODINGS = [
    ("a.wav", "PCM_16", "WAV"),
    ("a.wav", "PCM_24", "WAV"),
    ("a.wav", "PCM_U8", "WAV"),
    ("a.wav", "FLOAT", "WAV"),
    ("a.wav", "DOUBLE", "WAV"),
    ("a.wav", "ULAW", "WAV"),
    ("a.wav", "ALAW", "WAV"),
    ("a.flac", "PCM_16", "FLAC"),
    ("a.flac", "PCM_24", "FLAC"),
    ("a.flac", "PCM_S8", "FLAC"),
    ("a.aiff", "PCM_S8", "WAV"),
    ("a.ogg", "VORBIS", "WAV"),
]


def utterance(path: Path, start: float | None, end: float | None) -> Utterance:
    return Utterance(
        utterance_id="u", speaker_id=None, wav_path=str(path), start=start, end=end, transcript=None, label=None
    )


@pytest.mark.parametrize(("name", "coding", "container"), CODINGS)
def test_no_sample_of_a_segment_changes(
    tmp_path: Path, write_audio: WriteAudio, name: str, coding: str, container: str
) -> None:
    path = write_audio(name, sampling_rate=16_000, num_channels=2, subtype=coding)
    written = write_segment(utterance(path, 0.5, 1.25), tmp_path / "out" / "u")
    whole, _ = soundfile.read(path, dtype="float64", always_2d=True)
    part, rate = soundfile.read(written, dtype="float64", always_2d=True)
    assert rate == 16_000
    assert np.array_equal(part, whole[8_000:20_000])
    assert soundfile.info(written).format == container
    assert soundfile.info(written).subtype == {"VORBIS": "FLOAT"}.get(coding, "PCM_U8" if name == "a.aiff" else coding)


@pytest.mark.parametrize("name", ["a.wav", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("end", [None, 2.0])
def test_a_whole_recording_is_copied_byte_for_byte(
    tmp_path: Path, write_audio: WriteAudio, name: str, end: float | None
) -> None:
    path = write_audio(name)
    end = None if end is None else soundfile.info(path).duration
    written = write_segment(utterance(path, 0.0, end), tmp_path / "out" / "u.1")
    assert written.name == f"u.1{path.suffix}"
    assert written.read_bytes() == path.read_bytes()


def exported(folder: Path, *manifests: Path, **settings: Any) -> list[ExportedSplit]:
    return export_splits([ManifestSource(path=path) for path in manifests], folder, ExportSettings(**settings))


def test_splits_are_named_as_the_hub_names_them(
    tmp_path: Path, make_row: MakeRow, write_manifest: WriteManifest, write_audio: WriteAudio
) -> None:
    write_audio("a.wav")
    paths = [write_manifest(make_row(wav_path="a.wav"), name=f"{name}.jsonl") for name in ("train", "valid", "test")]
    exported(tmp_path / "out", *paths)
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert [name for name in found if name.endswith("jsonl")] == [
        f"{name}/metadata.jsonl" for name in ("test", "train", "validation")
    ]
    other = write_manifest(make_row(wav_path="a.wav"), name="more.jsonl")
    with pytest.raises(DataError, match=r"more.jsonl` is named for no split, while others are"):
        exported(tmp_path / "more", *paths, other)
    (whole,) = exported(tmp_path / "more", other)
    assert whole.metadata == tmp_path / "more" / "metadata.jsonl"


def test_a_row_names_its_file_and_its_recording_and_no_place_of_this_machine(
    tmp_path: Path, make_row: MakeRow, write_manifest: WriteManifest, write_audio: WriteAudio
) -> None:
    write_audio("b/a.wav")
    outside = tmp_path.parent / "outside.wav"
    outside.write_bytes((tmp_path / "b" / "a.wav").read_bytes())
    rows = [make_row(wav_path="b/a.wav", start=0.5, end=1.0, gender="female"), make_row(wav_path=str(outside))]
    (split,) = exported(tmp_path / "out", write_manifest(*rows))
    first, second = (json.loads(line) for line in split.metadata.read_text(encoding="utf-8").splitlines())
    assert (first["file_name"], first["recording_id"], first["gender"]) == ("audio/u1.wav", "b/a", "female")
    assert set(first) & {"wav_path", "start", "end"} == set()
    assert second["recording_id"] == f"{outside.parent.name}/outside"


def test_ids_become_names_that_every_system_takes(
    tmp_path: Path, make_row: MakeRow, write_manifest: WriteManifest, write_audio: WriteAudio
) -> None:
    write_audio("a.wav")
    ids = ["a/b", "a:b", "A_B", "..", "x" * 300, "vui vẻ"]
    rows = [make_row(utterance_id=name, wav_path="a.wav") for name in ids]
    (split,) = exported(tmp_path / "out", write_manifest(*rows))
    names = [row["file_name"].removeprefix("audio/") for row in split.rows]
    assert names[:4] == ["a_b.wav", "a_b-2.wav", "A_B-3.wav", "utterance.wav"]
    assert len({name.casefold() for name in names}) == len(names)
    assert max(map(len, names)) < 130
    assert [row["utterance_id"] for row in split.rows] == ids


def test_a_table_holds_text(
    tmp_path: Path, make_row: MakeRow, write_manifest: WriteManifest, write_audio: WriteAudio
) -> None:
    write_audio("a.wav")
    row = make_row(wav_path="a.wav", transcript='dạ, "vâng"', speaker_id=None, turn=3, votes={"vui": 1})
    (split,) = exported(tmp_path / "out", write_manifest(row), metadata="csv")
    with split.metadata.open(encoding="utf-8", newline="") as stream:
        (found,) = csv.DictReader(stream)
    assert (found["transcript"], found["speaker_id"], found["turn"]) == ('dạ, "vâng"', "", "3")
    assert found["votes"] == '{"vui": 1}'


def test_rows_without_audio_are_refused_by_audiofolder_alone(
    tmp_path: Path, make_row: MakeRow, write_manifest: WriteManifest
) -> None:
    path = write_manifest(make_row(), make_row())
    with pytest.raises(DataError, match=r"2 of 2 rows have no audio, .*split.jsonl:1, .*split.jsonl:2. Leave them out"):
        exported(tmp_path / "out", path)
    (split,) = exported(tmp_path / "out", path, needs_audio=False)
    assert [row["file_name"] for row in split.rows] == [None, None]


def test_an_export_is_not_written_over_unless_asked(
    tmp_path: Path, make_row: MakeRow, write_manifest: WriteManifest, write_audio: WriteAudio
) -> None:
    write_audio("a.wav")
    path = write_manifest(make_row(wav_path="a.wav"))
    exported(tmp_path / "out", path)
    with pytest.raises(DataError, match=r"metadata.jsonl` is there already. Name another folder, or .*--overwrite"):
        exported(tmp_path / "out", path)
    exported(tmp_path / "out", path, overwrite=True)


FACTS = DatasetFacts(
    name="ours", published="2026-11-28", url="https://example.org/ours", creator="Us", citation="Us (2026)."
)


@pytest.fixture
def described(
    tmp_path: Path, make_row: MakeRow, write_manifest: WriteManifest, write_audio: WriteAudio
) -> tuple[list[ExportedSplit], Path]:
    """An export of two splits with columns of every type, and its folder."""
    write_audio("a.wav")
    write_audio("b.flac")
    rows = [
        make_row(wav_path="a.wav", turn=1, score=1, known=True, licence="CC0-1.0", emotion_probs={"happy": 1.0}),
        make_row(wav_path="b.flac", turn=2, score=0.5, known=False, licence="CC0-1.0", note=None),
        make_row(turn=3),
    ]
    folder = tmp_path / "out"
    paths = [write_manifest(*rows, name="train.jsonl"), write_manifest(make_row(wav_path="a.wav"), name="test.jsonl")]
    splits = exported(folder, *paths, needs_audio=False)
    write_croissant(splits, folder, FACTS)
    return splits, folder


def test_croissant_describes_every_file_and_column(described: tuple[list[ExportedSplit], Path]) -> None:
    splits, folder = described
    document = describe(splits, folder, FACTS)
    assert document == json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    assert (document["conformsTo"], document["license"], document["@type"]) == (CONFORMS_TO, "CC0-1.0", "sc:Dataset")
    objects = [entry for entry in document["distribution"] if entry["@type"] == "cr:FileObject"]
    for entry in objects:
        content = (folder / entry["contentUrl"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    sets = {entry["includes"]: entry["encodingFormat"] for entry in document["distribution"] if "includes" in entry}
    assert sets == {
        "train/audio/*.flac": "audio/flac",
        "train/audio/*.wav": "audio/wav",
        "test/audio/*.wav": "audio/wav",
    }
    train = document["recordSet"][0]
    kinds = {field["source"]["extract"]["column"]: field["dataType"] for field in train["field"]}
    assert (kinds["turn"], kinds["score"], kinds["known"], kinds["note"]) == (
        *("sc:Integer", "sc:Float", "sc:Boolean", "sc:Text"),
    )
    assert "emotion_probs" not in kinds
    assert "emotion_probs" in document["description"]


def test_every_reference_of_croissant_is_defined(described: tuple[list[ExportedSplit], Path]) -> None:
    splits, folder = described
    document = describe(splits, folder, FACTS)
    ids = [entry["@id"] for entry in document["distribution"]]
    fields = [field for found in document["recordSet"] for field in found["field"]]
    assert len({*ids, *(field["@id"] for field in fields)}) == len(ids) + len(fields)
    assert {field["source"]["fileObject"]["@id"] for field in fields} <= set(ids)
    assert {found["key"]["@id"] for found in document["recordSet"]} <= {field["@id"] for field in fields}
    terms = {key for part in (document, *document["distribution"], *document["recordSet"], *fields) for key in part}
    plain = {"name", "description", "license", "url", "creator", "datePublished", "version", "distribution"}
    files = {"contentUrl", "contentSize", "encodingFormat", "sha256"}
    assert {term for term in terms if not term.startswith("@")} - plain - files <= set(document["@context"])


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")  # mlcroissant uses it
def test_croissant_is_read_by_its_own_library(described: tuple[list[ExportedSplit], Path]) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    _, folder = described
    dataset = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not dataset.metadata.issues.errors
    rows = list(dataset.records("train"))
    assert [row["train/turn"] for row in rows] == [1, 2, 3]


def test_the_hub_loads_an_audiofolder(
    tmp_path: Path, make_row: MakeRow, write_manifest: WriteManifest, write_audio: WriteAudio
) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    pytest.importorskip("torchcodec", reason="torchcodec, which datasets needs for audio, is not installed")
    write_audio("a.wav")
    path = write_manifest(make_row(wav_path="a.wav", start=0.5, end=1.0), name="valid.jsonl")
    exported(tmp_path / "out", path)
    found = datasets.load_dataset("audiofolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert found["validation"].num_rows == 1
    assert found["validation"]["emotion"][0] == "happy"
