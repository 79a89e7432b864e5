"""`vietmer data split`: the folder that it writes is one that a spec can name."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from vietmer_core.cli.main import commands
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.errors import DataError, DataProblemsError
from vietmer_core.splitting import writing
from vietmer_core.splitting.protocol import split_protocol

Row = dict[str, Any]
MakeRows = Callable[..., list[Row]]
WriteRows = Callable[[Path, list[Row]], Path]


def run(*arguments: object) -> Result:
    command = ["data", "split", *(str(argument) for argument in arguments)]
    return CliRunner().invoke(commands, command, env={"COLUMNS": "100"})


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def opened(*paths: Path) -> Manifest:
    return Manifest.open([ManifestSource(path=path) for path in paths], require_labels=False)


@pytest.fixture
def corpus(tmp_path: Path, make_rows: MakeRows, write_rows: WriteRows) -> Path:
    """Nine speakers with audio below the manifest, three of them elsewhere by an absolute path, one of text alone."""
    fields: list[Row] = []
    for number in range(36):
        speaker = f"s{number % 9}"
        folder = tmp_path / "corpus" / "audio" if number % 9 < 5 else tmp_path / "elsewhere"
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number}.wav", np.full(800, 0.1), 16_000)
        wav_path = f"audio/{number}.wav" if number % 9 < 5 else str(folder / f"{number}.wav")
        one = {"speaker_id": speaker, "wav_path": None if number % 9 == 8 else wav_path, "note": {"số": number}}
        fields.append({**one, "emotion": ("angry", "happy")[number // 9 % 2]})
    return write_rows(tmp_path / "corpus" / "all.jsonl", make_rows(*fields))


def test_every_row_is_written_once_with_every_field_and_audio_that_is_found(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "splits"
    result = run(corpus, "--to", folder)
    assert result.exit_code == 0, result.output
    splits = {name: read(folder / f"{name}.jsonl") for name in ("train", "valid", "test")}
    written = [row for rows in splits.values() for row in rows]
    protocol = "speaker- and recording-disjoint, stratified by emotion, seed 0"
    assert {row.pop("split_protocol") for row in written} == {protocol}
    before = {row["utterance_id"]: row for row in read(corpus)}
    assert sorted(row["utterance_id"] for row in written) == sorted(before)
    for row in written:
        path, old = row.pop("wav_path"), dict(before[row["utterance_id"]])
        was = old.pop("wav_path")
        assert row == old
        assert (path is None) == (was is None)
        if path is not None:
            assert Path(path).is_absolute() == Path(was).is_absolute()
            assert (folder / path).resolve() == (corpus.parent / was).resolve()
    for name, rows in splits.items():
        assert [row["utterance_id"] for row in rows] == sorted(row["utterance_id"] for row in rows)
        assert split_protocol(opened(folder / f"{name}.jsonl")) == protocol
    speakers = [{row["speaker_id"] for row in rows} for rows in splits.values()]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 9


def test_the_document_says_how_the_splits_were_made(corpus: Path, tmp_path: Path) -> None:
    result = run(corpus, "--to", tmp_path / "a", "--json")
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "a" / "split.json").read_text(encoding="utf-8"))
    assert document["version"] == 1
    assert document["settings"]["seed"] == 0
    assert document["settings"]["disjoint"] == ["speaker", "recording"]
    assert len(document["source"]["fingerprint"]) == 64
    (fold,) = document["folds"]
    assert fold["folder"] == "."
    train = fold["splits"]["train"]
    assert train["manifest"] == "train.jsonl"
    assert train["num_utterances"] == len(read(tmp_path / "a" / "train.jsonl")) == sum(train["classes"].values())
    assert train["share"] == train["num_utterances"] / document["num_utterances"]
    assert sum(split["num_groups"] for split in fold["splits"].values()) == document["num_groups"] == 9
    again = json.loads(run(corpus, "--to", tmp_path / "b", "--json").stdout)
    assert again == document
    assert (tmp_path / "b" / "test.jsonl").read_bytes() == (tmp_path / "a" / "test.jsonl").read_bytes()
    other = json.loads(run(corpus, "--to", tmp_path / "c", "--json", "--seed", 1).stdout)
    assert other["folds"][0]["splits"]["test"]["sha256"] != fold["splits"]["test"]["sha256"]


def test_folds_lie_in_folders_of_their_own(corpus: Path, tmp_path: Path) -> None:
    result = run(corpus, "--to", tmp_path / "folds", "--protocol", "kfold", "--folds", 3)
    assert result.exit_code == 0, result.output
    assert "fold_01 to fold_03 and split.json" in result.stdout
    tested = [row["utterance_id"] for fold in (1, 2, 3) for row in read(tmp_path / f"folds/fold_0{fold}/test.jsonl")]
    assert sorted(tested) == [f"u{number:03d}" for number in range(36)]
    for fold in (1, 2, 3):
        manifest = opened(*(tmp_path / f"folds/fold_0{fold}/{name}.jsonl" for name in ("train", "valid", "test")))
        assert len(manifest) == 36
        assert all(path.is_file() for _, _, path in manifest.recordings())


def test_a_split_of_a_split_finds_the_audio_and_has_one_protocol(corpus: Path, tmp_path: Path) -> None:
    run(corpus, "--to", tmp_path / "once", "--shares", "0.6,0.4")
    result = run(tmp_path / "once" / "train.jsonl", "--to", tmp_path / "twice", "--seed", 7)
    assert result.exit_code == 0, result.output
    manifest = opened(*(tmp_path / "twice" / f"{name}.jsonl" for name in ("train", "valid", "test")))
    assert all(path.is_file() for _, _, path in manifest.recordings())
    assert str(split_protocol(manifest)).endswith("seed 7")
    assert not (tmp_path / "once" / "test.jsonl").exists()


def test_audio_is_found_where_folders_are_links(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "far" / "disk").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "disk")
    assert run(corpus, "--to", tmp_path / "link" / "splits").exit_code == 0
    manifest = opened(tmp_path / "link" / "splits" / "train.jsonl")
    assert all(path.is_file() for _, _, path in manifest.recordings())
    row = next(row for row in read(tmp_path / "link" / "splits" / "train.jsonl") if str(row["wav_path"])[0] == ".")
    as_it_reads = os.path.relpath(corpus.parent / "audio", tmp_path / "link" / "splits")  # the control
    assert not (tmp_path / "link" / "splits" / as_it_reads / Path(row["wav_path"]).name).is_file()


def test_a_root_is_followed(corpus: Path, tmp_path: Path) -> None:
    moved = corpus.rename(tmp_path / "all.jsonl")
    assert isinstance(run(moved, "--to", tmp_path / "splits").exception, DataProblemsError)
    assert run(moved, "--to", tmp_path / "splits", "--root", tmp_path / "corpus").exit_code == 0
    assert all(path.is_file() for _, _, path in opened(tmp_path / "splits" / "train.jsonl").recordings())


def test_nothing_is_overwritten(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "splits"
    folder.mkdir()
    assert run(corpus, "--to", folder).exit_code == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(before) == ["split.json", "test.jsonl", "train.jsonl", "valid.jsonl"]
    error = run(corpus, "--to", folder, "--seed", 1).exception
    assert isinstance(error, DataError)
    assert "holds `split.json` already, and nothing is overwritten" in str(error)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(DataError, match="is no folder"):
        writing.refuse_folder(corpus)


def test_a_write_that_fails_leaves_nothing(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "describe_plan", fail)
    error = run(corpus, "--to", tmp_path / "splits").exception
    assert str(error) == f"`{tmp_path / 'splits'}` cannot be written: No space left on device."
    assert not (tmp_path / "splits").exists()
    (tmp_path / "killed" / writing.UNFINISHED).mkdir(parents=True)
    with pytest.raises(DataError, match="holds splits whose writing was cut short"):
        writing.refuse_folder(tmp_path / "killed")


def test_the_table_shows_splits_classes_and_speakers(corpus: Path, tmp_path: Path) -> None:
    shown = run(corpus, "--to", tmp_path / "a").stdout
    assert "36 utterances, 9 speakers, 9 groups that stay together, the largest of 4 utterances" in shown
    for name in ("utterances", "groups", "speakers", "angry", "happy", "deviation", "divergence"):
        assert name in shown
    shown = run(corpus, "--to", tmp_path / "b", "--protocol", "loso").stdout
    assert shown.count("fold_") == 9 + 2
    assert "left out" in shown
    shown = run(corpus, "--to", tmp_path / "c", "--disjoint", "none").stdout
    assert "caution: the splits are not speaker-disjoint" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--shares", "70/15/15"], "must be numbers separated by commas"),
        (["--disjoint-pattern", "utterance_id"], "must be FIELD=REGEX"),
        (["--disjoint-pattern", "utterance_id=("], "is no regular expression"),
        (["--disjoint", "speaker,,"], "must be names separated by commas"),
        (["--label-field", "end"], "must name a field for labels"),
        (
            ["--protocol", "kfol"],
            "loso, loco, leave-one-out, but is `kfol`. Did you mean `kfold`?",
        ),
        (["--protocol", "loso", "--shares", "0.8,0.2"], "means nothing to the protocol `loso`"),
        (["--valid-share", "0.2"], "means nothing to the protocol `holdout`"),
        (["--folds", "3"], "means nothing to the protocol `holdout`"),
    ],
)
def test_an_unusable_command_line_leaves_with_2(
    corpus: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    result = run(corpus, "--to", tmp_path / "splits", *arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "splits").exists()


def test_a_pattern_and_a_field_join_rows(corpus: Path, tmp_path: Path) -> None:
    arguments = ("--disjoint", "speaker", "--disjoint-pattern", "utterance_id=^u00(0|1)", "--json")
    document = json.loads(run(corpus, "--to", tmp_path / "a", *arguments).stdout)
    assert document["protocol"].startswith("speaker- and utterance_id-pattern-disjoint")
    assert document["settings"]["patterns"] == ["utterance_id=^u00(0|1)"]


def test_a_protocol_is_none_or_common_or_mixed(tmp_path: Path, make_rows: MakeRows, write_rows: WriteRows) -> None:
    rows = make_rows({}, {"split_protocol": "a"}, {"split_protocol": "a"}, {"split_protocol": "b"})
    paths = [write_rows(tmp_path / f"{number}.jsonl", [row]) for number, row in enumerate(rows)]
    assert split_protocol(opened(paths[0])) is None
    assert split_protocol(opened(paths[1], paths[2])) == "a"
    assert split_protocol(opened(*paths)) == "mixed: a (2 rows); not stated (1 row); b (1 row)"
