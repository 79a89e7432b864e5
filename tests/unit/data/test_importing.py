"""What an import writes: every row checked, audio referred to, copied, linked or written, nothing half done."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import soundfile

from vietmer_core.data.import_writing import ImportSettings, import_corpus
from vietmer_core.data.importing import AudioBytes, ImportedRow, ImportLog
from vietmer_core.errors import DataError, DataProblemsError

WriteAudio = Callable[..., Path]


def row(name: str, **fields: Any) -> ImportedRow:
    made = ImportedRow(
        utterance_id=name,
        speaker_id="s",
        audio=None,
        transcript="vâng",
        label="vui",
        corpus="ours",
        place=f"a.csv:{name}",
    )
    return attrs.evolve(made, **fields)


@attrs.frozen
class Given:
    """An importer of the test."""

    given: tuple[ImportedRow, ...]
    fault: str = ""

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        if self.fault:
            log.fault(source / "a.csv", 7, self.fault)
        log.skip("rows of the test")
        yield from self.given


def run(tmp_path: Path, *rows: ImportedRow, fault: str = "", **settings: Any) -> list[dict[str, Any]]:
    """The rows of all manifests that an import writes."""
    source, folder = tmp_path / "corpus", tmp_path / "out"
    source.mkdir(exist_ok=True)
    summary = import_corpus(Given(rows, fault), source, folder, ImportSettings(licence="CC0-1.0", **settings))
    lines = [line for found in summary.manifests for line in found.path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def test_a_row_holds_every_field_and_what_is_known_of_the_corpus(tmp_path: Path) -> None:
    (found,) = run(tmp_path, row("1", soft_label={"vui": 1.0}, metadata={"gender": "female"}))
    assert list(found) == [
        *("utterance_id", "speaker_id", "wav_path", "start", "end", "transcript", "emotion", "emotion_probs"),
        *("corpus", "gender", "licence"),
    ]
    assert (found["corpus"], found["licence"]) == ("ours", "CC0-1.0")


def test_published_splits_have_files_of_their_own_and_say_so(tmp_path: Path) -> None:
    rows = run(tmp_path, row("1", split="train"), row("2", split="test"), row("3"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["all.jsonl", "test.jsonl", "train.jsonl"]
    assert [found.get("split_protocol") for found in rows] == ["as published by ours", "as published by ours", None]


def test_audio_is_referred_to_by_default(tmp_path: Path, write_audio: WriteAudio) -> None:
    path = write_audio("corpus/a.wav", seconds=0.5)
    (found,) = run(tmp_path, row("1", audio=path))
    assert found["wav_path"] == "../corpus/a.wav"
    assert (tmp_path / "out" / found["wav_path"]).resolve() == path.resolve()


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_audio_is_copied_or_linked_beside_the_manifest(tmp_path: Path, write_audio: WriteAudio, mode: str) -> None:
    path = write_audio("corpus/a.wav", seconds=0.5)
    for _ in range(2):  # a second time finds them there
        (found,) = run(tmp_path, row("1", audio=path), audio=mode, overwrite=True)
    target = tmp_path / "out" / found["wav_path"]
    assert found["wav_path"] == "audio/a.wav"
    assert target.read_bytes() == path.read_bytes()
    assert target.is_symlink() == (mode == "link")


def test_bytes_become_files_as_they_were(tmp_path: Path, write_audio: WriteAudio) -> None:
    content = write_audio("a.flac", seconds=0.5, sampling_rate=44_100, num_channels=2).read_bytes()
    (found,) = run(tmp_path, row("1", audio=AudioBytes(suffix=".flac", content=content)))
    target = tmp_path / "out" / found["wav_path"]
    assert target.read_bytes() == content
    assert soundfile.info(target).channels == 2


def test_all_faults_are_told_at_once_and_no_manifest_is_written(tmp_path: Path) -> None:
    bad = tmp_path / "corpus" / "bad.wav"
    bad.parent.mkdir()
    bad.write_bytes(b"no audio")
    rows = (
        *(row("1"), row("1", place="a.csv:2"), row("3", speaker_id=""), row("4", soft_label={"vui": 0.5})),
        *(row("5", audio=bad), row("6", audio=bad.with_name("lost.wav")), row("7", label=3)),
    )
    with pytest.raises(DataProblemsError) as caught:
        run(tmp_path, *rows, fault="the line is wrong.")
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 7
    for problem, place in zip(
        told[1:], ("a.csv:2: ut", "a.csv:3: sp", "a.csv:4: em", "a.csv:5", "a.csv:6", "a.csv:7: em"), strict=True
    ):
        assert problem.startswith(place)
    assert told[0].endswith("corpus/a.csv:7: the line is wrong.")
    assert not list((tmp_path / "out").glob("*.jsonl"))


def test_missing_audio_is_counted_where_that_is_asked_for(tmp_path: Path) -> None:
    source = tmp_path / "corpus"
    source.mkdir()
    importer = Given((row("1"), row("2", audio=source / "lost.wav")))
    summary = import_corpus(importer, source, tmp_path / "out", ImportSettings(licence="x", skip_missing=True))
    assert summary.skipped == {"rows of the test": 1, "rows whose audio file is not there": 1}
    assert summary.as_json()["manifests"][0]["num_rows"] == 1
    assert "left out: 1: rows whose audio file is not there." in list(summary.lines())


def test_an_import_of_nothing_is_refused_with_what_was_left_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"corpus` gives no row: left out are 1 rows of the test. Check the path."):
        run(tmp_path)
    with pytest.raises(DataError, match=r"nowhere` does not exist. Name the folder or file of the corpus."):
        import_corpus(Given(()), tmp_path / "nowhere", tmp_path / "out", ImportSettings(licence="x"))


def test_a_manifest_is_not_written_over_unless_asked(tmp_path: Path) -> None:
    run(tmp_path, row("1"))
    with pytest.raises(DataError, match=r"all.jsonl` is there already. Name another folder, or .*--overwrite"):
        run(tmp_path, row("2"))
    assert [found["utterance_id"] for found in run(tmp_path, row("2"), overwrite=True)] == ["2"]
