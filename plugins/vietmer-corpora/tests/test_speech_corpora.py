"""ViSEC, VNEMOS, RAVDESS and EmoDB: what is read of their files, and what is refused."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import soundfile
from pyarrow import parquet
from vietmer_corpora.emodb import EMOTIONS, SENTENCES
from vietmer_corpora.samples.files import tone_bytes, write
from vietmer_corpora.vnemos import recording_of

from vietmer_core.data.importing import AudioBytes
from vietmer_core.errors import DataError

Read = Callable[..., Any]
Faults = Callable[..., list[str]]
Sample = Callable[[str], Path]

DATA = Path(__file__).parents[4] / "shared" / "data"
HEADER = "speaker_id,path,duration,accent,emotion,emotion_id,gender\n"
HOUSE_WORDS = {"happy": "happiness", "sad": "sadness", "fearful": "fear", "surprised": "surprise"}


def test_visec_of_a_folder(sample: Sample, read: Read) -> None:
    rows = read("visec", sample("visec")).rows
    unknown, known = rows["visec_00000"], rows["visec_00002"]
    assert (unknown.speaker_id, known.speaker_id) == (None, "visec_12")
    assert known.metadata == {"gender": "female", "accent": "central"}
    assert known.audio.name == "00002.wav"


def test_visec_takes_a_byte_order_mark_semicolons_and_further_columns(sample: Sample, read: Read) -> None:
    folder = sample("visec")
    text = (folder / "data.csv").read_text(encoding="utf-8").replace(",", ";")
    lines = [f"{line};{'note' if number == 0 else 'rõ'}" for number, line in enumerate(text.splitlines())]
    (folder / "data.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert read("visec", folder).rows["visec_00001"].metadata["note"] == "rõ"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("0,wav/00000.wav,0.2,south,happy,3,female", "visec/data.csv:2: emotion: `happy` has the number 0, but `emoti"),
        ("0,wav/00000.wav,0.2,south,joy,,female", "visec/data.csv:2: emotion: must be one of happy, neutral, sad, ang"),
        ("0,wav/00000.wav,0.2,south,happy,7,female", "visec/data.csv:2: emotion_id: must be a number from 0 to 3, but"),
        ("0,,0.2,south,happy,0,female", "visec/data.csv:2: path: the row names no audio file."),
        ("0,wav/00000.wav,0.2,south,happy", "visec/data.csv:2: the row has 5 cells, but the header has 7."),
    ],
)
def test_a_wrong_row_of_visec_is_named(sample: Sample, faults: Faults, line: str, fault: str) -> None:
    folder = sample("visec")
    (folder / "data.csv").write_text(f"{HEADER}{line}\n", encoding="utf-8")
    (said,) = faults("visec", folder)
    assert said.startswith(fault)


def test_a_column_of_visec_that_is_not_there_is_asked_for(sample: Sample, read: Read) -> None:
    folder = sample("visec")
    text = (folder / "data.csv").read_text(encoding="utf-8").replace("path", "clip", 1)
    (folder / "data.csv").write_text(text, encoding="utf-8")
    with pytest.raises(
        DataError, match=r"data.csv:1: there is no column `path` or .* the columns are `speaker_id`, `cl"
    ):
        read("visec", folder)
    assert len(read("visec", folder, file_column="clip").rows) == 3


def hub_table(*rows: dict[str, Any]) -> pa.Table:
    """A table as the hub stores it for `Audio(decode=False)`."""
    kinds = {"accent": pa.string(), "emotion": pa.string(), "gender": pa.string(), "duration": pa.float64()}
    audio = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    whole = {"speaker_id": pa.int64(), "path": audio, "emotion_id": pa.int64()}
    return pa.Table.from_pylist(list(rows), schema=pa.schema({**kinds, **whole}))


def hub_row(name: str | None, content: bytes | None, **fields: Any) -> dict[str, Any]:
    fixed = {"speaker_id": 0, "duration": 0.2, "accent": "north", "emotion": "sad", "emotion_id": 2, "gender": "male"}
    return {**fixed, "path": {"bytes": content, "path": name}, **fields}


def test_visec_of_the_hub(tmp_path: Path, read: Read) -> None:
    first, second = tone_bytes(hertz=200), tone_bytes(hertz=300, sampling_rate=44_100, channels=2)
    folder = tmp_path / "ViSEC" / "data"
    folder.mkdir(parents=True)
    parquet.write_table(hub_table(hub_row("00000.wav", first)), folder / "train-00000-of-00002.parquet")
    parquet.write_table(hub_table(hub_row(None, second, speaker_id=7)), folder / "train-00001-of-00002.parquet")
    rows = read("visec", folder.parent).rows
    assert list(rows) == ["visec_00000", "visec_00001"]
    assert [row.speaker_id for row in rows.values()] == [None, "visec_7"]
    assert rows["visec_00000"].audio == AudioBytes(suffix=".wav", content=first)
    assert soundfile.info(io.BytesIO(rows["visec_00001"].audio.content)).channels == 2
    assert rows["visec_00001"].metadata == {"gender": "male", "accent": "northern"}


def test_a_hub_file_without_audio_or_cut_short_is_named(tmp_path: Path, read: Read, faults: Faults) -> None:
    file = tmp_path / "train.parquet"
    parquet.write_table(hub_table(hub_row("a.wav", tone_bytes()), hub_row("b.wav", None)), file)
    (said,) = faults("visec", file)
    assert said == "train.parquet:2: the row holds no audio bytes. Fetch the parquet files with their audio."
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"train.parquet` cannot be read as parquet: .*Fetch it anew."):
        read("visec", file)
    parquet.write_table(pa.table({"text": ["a"]}), file)
    with pytest.raises(DataError, match=r"there is no column `emotion`; the columns are `text`."):
        read("visec", file)


def test_vnemos(sample: Sample, read: Read) -> None:
    found = read("vnemos", sample("vnemos"))
    assert {row.label for row in found.rows.values()} == {"angry", "fear", "happiness", "neutral", "sadness"}
    assert {row.speaker_id for row in found.rows.values()} == {None}
    row = found.rows["vnemos_Copy_of_Angry_scvmc17-00.25.00.160-00.25.07.845-seg2"]
    assert (row.transcript, row.metadata["recording_id"]) == ("Uống là khó chịu.", "vnemos_Angry_scvmc17")
    assert found.notes == {"rows have no transcript": 4}


@pytest.mark.skipif(not DATA.is_dir(), reason="the corpora of `../shared/data` are not here")
def test_vnemos_with_the_real_transcripts_and_names(tmp_path: Path, read: Read) -> None:
    """The names of all 250 clips, made into the folders that the public preparation reads."""
    source, real = tmp_path / "VNEMOS", {}
    for split in ("train", "valid", "test"):
        path = DATA / "vnemos_text" / f"{split}.jsonl"
        write(source / path.name, path.read_bytes())
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            real[row["utterance_id"]] = row
            write(source / row["emotion"].title() / row["speaker_id"], b"not read here")
    found = read("vnemos", source)
    assert {key.removeprefix("vnemos_"): (row.label, row.transcript) for key, row in found.rows.items()} == {
        key: (row["emotion"], row["transcript"] or None) for key, row in real.items()
    }
    assert found.notes == {"rows have no transcript": sum(not row["transcript"] for row in real.values())}
    assert len({row.metadata["recording_id"] for row in found.rows.values()}) < 200


@pytest.mark.parametrize(
    ("stem", "recording"),
    [
        ("Copy of Angry_scvmc17-00.25.00.160-00.25.07.845-seg2", "Angry_scvmc17"),
        ("Copy of AnyConv.com__angry_npx1-00.25.41.440-00.25.43.921-seg4", "angry_npx1"),
        ("fear 3", "fear_3"),
    ],
)
def test_the_recording_of_a_clip_is_what_stands_before_its_time(stem: str, recording: str) -> None:
    assert recording_of(stem) == recording


def test_a_clip_of_vnemos_in_no_folder_of_an_emotion_is_named(sample: Sample, faults: Faults) -> None:
    folder = sample("vnemos")
    write(folder / "lost.wav", tone_bytes())
    write(folder / "wavs16k" / "b.wav", tone_bytes())
    assert [said.split(":")[0] for said in faults("vnemos", folder)] == ["vnemos/lost.wav", "vnemos/wavs16k/b.wav"]


def test_ravdess(sample: Sample, read: Read) -> None:
    folder = sample("ravdess")
    found = read("ravdess", folder)
    row = found.rows["ravdess_03-01-05-02-02-02-01"]
    assert (row.speaker_id, row.label, row.transcript) == ("ravdess_01", "angry", "Dogs are sitting by the door.")
    assert row.metadata == {"gender": "male", "intensity": "strong", "repetition": 2, "vocal_channel": "speech"}
    assert sum(found.skipped.values()) == 1
    assert len(read("ravdess", folder, song=True).rows) == 4


@pytest.mark.skipif(not DATA.is_dir(), reason="the corpora of `../shared/data` are not here")
def test_ravdess_on_all_1440_real_names_says_what_its_manifest_says(tmp_path: Path, read: Read) -> None:
    real = {}
    for path in sorted((DATA / "ravdess").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            real[row["utterance_id"]] = row
            name = row["utterance_id"].removeprefix("ravdess_")
            write(tmp_path / "RAVDESS" / f"Actor_{name[-2:]}" / f"{name}.wav", b"")
    rows = read("ravdess", tmp_path / "RAVDESS").rows
    assert len(rows) == len(real) == 1440
    for key, row in rows.items():
        wanted = real[key]
        assert HOUSE_WORDS.get(row.label, row.label) == wanted["emotion"]
        assert (row.speaker_id, row.transcript) == (wanted["speaker_id"], wanted["transcript"])
        assert {name: row.metadata[name] for name in ("gender", "intensity", "repetition")} == {
            name: wanted[name] for name in ("gender", "intensity", "repetition")
        }


@pytest.mark.parametrize("name", ["03-01-09-01-01-01-01", "03-01-01-01-01-01-25", "03-01-01-01-01-01", "clip"])
def test_a_name_that_is_none_of_ravdess_is_refused(sample: Sample, faults: Faults, name: str) -> None:
    folder = sample("ravdess")
    write(folder / "Actor_01" / f"{name}.wav", tone_bytes())
    (said,) = faults("ravdess", folder)
    assert said.startswith(f"ravdess/Actor_01/{name}.wav: `{name}` is no name of a RAVDESS clip.")


def test_emodb(sample: Sample, read: Read) -> None:
    rows = read("emodb", sample("emodb")).rows
    row = rows["emodb_16a07Lb"]
    assert (row.speaker_id, row.label, row.transcript) == ("emodb_16", "boredom", SENTENCES["a07"])
    assert row.metadata == {"gender": "female", "age": 31, "sentence": "a07", "version": "b"}
    assert len(EMOTIONS) == 7


@pytest.mark.parametrize("name", ["03a01Xa", "17a01Fa", "03a03Fa", "03a01F"])
def test_a_name_that_is_none_of_emodb_is_refused(sample: Sample, faults: Faults, name: str) -> None:
    folder = sample("emodb")
    write(folder / "wav" / f"{name}.wav", tone_bytes())
    (said,) = faults("emodb", folder)
    assert said.startswith(f"emodb/wav/{name}.wav: `{name}` is no name of an EmoDB clip.")


@pytest.mark.parametrize(("kind", "other"), [("emodb", "ravdess"), ("ravdess", "emodb")])
def test_the_folder_of_another_corpus_is_refused_in_one_sentence(
    sample: Sample, read: Read, kind: str, other: str
) -> None:
    with pytest.raises(DataError, match=r"none of the 4 audio files of .* is named as those of the corpus, such as"):
        read(kind, sample(other))
