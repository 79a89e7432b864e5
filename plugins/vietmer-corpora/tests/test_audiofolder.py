"""AudioFolder: what is read of it, and that what is exported comes back the same."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from vietmer_corpora.audiofolder import AudioFolderImporter
from vietmer_corpora.samples.files import tone_bytes, write

from vietmer_core.data.audio import read_segment
from vietmer_core.data.exporting import ExportSettings, export_splits
from vietmer_core.data.import_writing import ImportSettings, import_corpus
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError

Read = Callable[..., Any]
Faults = Callable[..., list[str]]
Sample = Callable[[str], Path]
RATE = 8_000


def test_splits_and_the_usual_columns(sample: Sample, read: Read) -> None:
    rows = read("audiofolder", sample("audiofolder")).rows
    row = rows["train_clip"]
    assert (row.split, row.label, row.transcript, row.speaker_id) == ("train", "angry", "vâng ạ", "3")
    assert rows["test_clip"].corpus == "audiofolder"


def test_a_table_of_metadata(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "mine" / "audio" / "a.wav", tone_bytes())
    write(tmp_path / "mine" / "audio" / "lost.wav", tone_bytes())
    text = 'file_name,cảm xúc,lời,start,note\naudio/a.wav,vui,"dạ, vâng",3,\n'
    write(tmp_path / "mine" / "metadata.csv", text)
    columns = {"label_column": "cảm xúc", "transcript_column": "lời", "corpus": "ours"}
    found = read("audiofolder", tmp_path / "mine", **columns)
    row = found.rows["audio_a"]
    assert (row.label, row.transcript, row.corpus, row.metadata) == ("vui", "dạ, vâng", "ours", {"source_start": "3"})
    assert found.skipped == {"audio files that no metadata names": 1}


def test_without_metadata_the_folder_is_the_label(tmp_path: Path, read: Read) -> None:
    for place in ("train/angry/a.wav", "train/sad/b.wav", "test/angry/a.wav", "test/c.wav"):
        write(tmp_path / "mine" / place, tone_bytes())
    rows = read("audiofolder", tmp_path / "mine").rows
    assert {key: (row.split, row.label) for key, row in rows.items()} == {
        "train_angry_a": ("train", "angry"),
        "train_sad_b": ("train", "sad"),
        "test_angry_a": ("test", "angry"),
        "test_c": ("test", None),
    }


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            '{"file_name": 3}',
            "metadata.jsonl:2: file_name: must name an audio file, relative to the metadata, but is 3.",
        ),
        ('{"label": "a"}', "metadata.jsonl:2: file_name: must name an audio file"),
        ('{"file_name": "a.wav"', "metadata.jsonl:2: not JSON"),
    ],
)
def test_a_wrong_line_is_named(sample: Sample, faults: Faults, line: str, fault: str) -> None:
    folder = sample("audiofolder")
    path = folder / "train" / "metadata.jsonl"
    write(path, path.read_text(encoding="utf-8") + line + "\n")
    (said,) = faults("audiofolder", folder)
    assert fault in said


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
WORDS = st.text(st.sampled_from("aăâđêôơư ,\"\n'0;"), max_size=12)
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | WORDS | st.lists(WORDS, max_size=2)
SPANS = st.sampled_from([(None, None), (0.0, 0.5), (0.25, 0.5), (0.1, None), (None, 1.0)])


@st.composite
def rows_of(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return [draw(st.builds(row_of, st.just(name), SPANS, WORDS, VALUES, st.booleans())) for name in ids]


def row_of(name: str, span: tuple[float | None, float | None], words: str, value: Any, soft: bool) -> dict[str, Any]:
    start, end = span
    fixed = {"utterance_id": name, "speaker_id": None if soft else "s", "wav_path": "audio/a.wav"}
    further = {"emotion_probs": {"vui": 0.75, "buồn": 0.25}} if soft else {"note": value}
    times = {"start": start, "end": end, "transcript": words or None, "emotion": "vui"}
    return {**fixed, **times, **further, "corpus": "ours", "licence": "CC0-1.0"}


def told(utterance: Utterance) -> dict[str, Any]:
    """An utterance apart from where it stands."""
    metadata = {"recording_id": "audio/a", **utterance.metadata}
    spoken = (utterance.utterance_id, utterance.speaker_id, utterance.transcript, utterance.label)
    return {"spoken": spoken, "metadata": metadata}


def heard(utterance: Utterance) -> bytes:
    assert utterance.wav_path is not None
    span = {"start": utterance.start, "end": utterance.end}
    return read_segment(utterance.wav_path, **span, channel="mono", sampling_rate=RATE).tobytes()


def opened(path: Path) -> list[Utterance]:
    return list(Manifest.open([ManifestSource(path=path)], require_labels=False))


def comes_back(export: Callable[[Sequence[ManifestSource], Path], object]) -> None:
    """Whatever is exported and imported again tells the same and sounds the same, to the last bit."""

    @settings(max_examples=6, phases=[Phase.generate])
    @given(rows=rows_of())
    def holds(rows: list[dict[str, Any]]) -> None:
        with TemporaryDirectory() as name:
            folder = Path(name)
            noise = np.random.default_rng(3).standard_normal(RATE) * 0.2
            (folder / "audio").mkdir()
            soundfile.write(folder / "audio" / "a.wav", noise, RATE, subtype="PCM_16")
            manifest = folder / "train.jsonl"
            manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            export([ManifestSource(path=manifest)], folder / "exported")
            importer = AudioFolderImporter()
            import_corpus(importer, folder / "exported", folder / "back", ImportSettings(licence="unknown"))
            before, after = opened(manifest), opened(folder / "back" / "train.jsonl")
            protocol = [{"split_protocol": "as published by ours", **told(one)["metadata"]} for one in before]
            assert [told(one)["spoken"] for one in after] == [told(one)["spoken"] for one in before]
            assert [told(one)["metadata"] for one in after] == protocol
            assert [heard(one) for one in after] == [heard(one) for one in before]

    holds()


def test_what_is_exported_comes_back() -> None:
    comes_back(lambda sources, folder: export_splits(sources, folder, ExportSettings()))


def test_an_export_that_forgets_the_segment_is_caught() -> None:
    """The counter-example: whole recordings under the ids of segments."""

    def careless(sources: Sequence[ManifestSource], folder: Path) -> None:
        (source,) = sources
        lines = [json.loads(line) for line in source.path.read_text(encoding="utf-8").splitlines()]
        whole = source.path.with_name("whole") / "train.jsonl"
        text = "".join(json.dumps({**row, "start": None, "end": None}) + "\n" for row in lines)
        write(whole, text)
        export_splits([ManifestSource(path=whole, root=source.path.parent)], folder, ExportSettings())

    with pytest.raises(AssertionError):
        comes_back(careless)


def test_a_csv_export_comes_back_as_text(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone_bytes())
    row = {**row_of("u1", (None, None), "dạ, vâng", 3, soft=False), "wav_path": "a.wav"}
    write(tmp_path / "test.jsonl", json.dumps(row) + "\n")
    export_splits([ManifestSource(path=tmp_path / "test.jsonl")], tmp_path / "out", ExportSettings(metadata="csv"))
    import_corpus(AudioFolderImporter(), tmp_path / "out", tmp_path / "back", ImportSettings(licence="unknown"))
    (found,) = opened(tmp_path / "back" / "test.jsonl")
    assert (found.utterance_id, found.transcript, found.metadata["note"]) == ("u1", "dạ, vâng", "3")


def test_a_folder_without_audio_is_refused(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "metadata.csv", "file_name\na.wav\n")
    with pytest.raises(DataError, match="holds no audio file"):
        read("audiofolder", tmp_path)
