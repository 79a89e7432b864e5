"""`vietmer data import` and `vietmer data export`, as a user runs them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner
from vietmer_corpora.samples.files import tone_bytes, write

from vietmer_core.cli.main import commands
from vietmer_core.data.check import check_split
from vietmer_core.data.manifest import ManifestSource
from vietmer_core.errors import DataError, DataProblemsError, UnknownKindError

Sample = Callable[[str], Path]


def run(*arguments: str | Path) -> str:
    """What a command prints; its error is raised."""
    result = CliRunner().invoke(commands, ["data", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output if result.exit_code == 0 else " ".join(result.output.replace("│", " ").split())


def test_an_import_says_what_it_wrote(sample: Sample, tmp_path: Path) -> None:
    said = run("import", "visec", sample("visec"), "--to", tmp_path / "out").replace(f"{tmp_path}/", "").splitlines()
    assert said == [
        "out/all.jsonl: 3 rows, audio in 3 (0.00 h), a transcript in 0; 2 known speakers (1 row of unknown ones).",
        "  labels: angry 1, happy 1, neutral 1.",
        "licence of the data: none stated.",
    ]


def test_what_is_imported_passes_the_check(sample: Sample, tmp_path: Path) -> None:
    for kind in ("iemocap", "meld", "vnemos", "vlsp"):
        run("import", kind, sample(kind), "--to", tmp_path / "out" / kind)
    files = sorted((tmp_path / "out").rglob("*.jsonl"))
    assert len(files) == 7
    for path in files:
        assert check_split([ManifestSource(path=path)]).of_severity("error") == []


def test_the_summary_as_json(sample: Sample, tmp_path: Path) -> None:
    found = json.loads(run("import", "ravdess", sample("ravdess"), "--to", tmp_path / "out", "--json"))
    assert found["version"] == 1
    assert found["manifests"][0]["labels"] == {"angry": 1, "neutral": 1, "surprised": 1}
    assert sum(found["skipped"].values()) == 1


def test_parameters_are_set_and_checked(sample: Sample, tmp_path: Path) -> None:
    folder = sample("ravdess")
    assert "4 rows" in run("import", "ravdess", folder, "--to", tmp_path / "out", "--set", "song=true")
    refused = run("import", "ravdess", folder, "--to", tmp_path / "more", "--set", "sung=true")
    assert "`ravdess` has no parameter `sung`; did you mean `song`?" in refused
    assert 'must be true or false, but is "maybe"' in run(
        *("import", "ravdess", folder, "--to", tmp_path / "more", "--set", "song=maybe")
    )
    assert "must be NAME=VALUE, but is `song`" in run(
        *("import", "ravdess", folder, "--to", tmp_path / "more", "--set", "song")
    )
    assert not (tmp_path / "more").exists()


def test_an_unknown_kind_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownKindError, match=r"offers `importer: visek`; installed: audiofolder, .*Did you mean `visec`"
    ):
        run("import", "visek", tmp_path, "--to", tmp_path / "out")


def test_missing_audio_is_an_error_unless_it_may_be(sample: Sample, tmp_path: Path) -> None:
    folder = sample("visec")
    (folder / "wav" / "00001.wav").unlink()
    with pytest.raises(
        DataProblemsError, match=r"visec/data.csv:3: the audio file .*00001.wav` does not exist. Fetch it"
    ):
        run("import", "visec", folder, "--to", tmp_path / "out")
    said = run("import", "visec", folder, "--to", tmp_path / "out", "--skip-missing")
    assert "left out: 1: rows whose audio file is not there." in said


def test_an_export_comes_back_by_its_own_command(sample: Sample, tmp_path: Path) -> None:
    run("import", "meld", sample("meld"), "--to", tmp_path / "meld")
    manifests = [tmp_path / "meld" / f"{name}.jsonl" for name in ("train", "valid", "test")]
    said = run("export", *manifests, "--to", tmp_path / "hub")
    assert f"{tmp_path}/hub/validation/metadata.jsonl: 1 rows, 1 audio files." in said
    run("import", "audiofolder", tmp_path / "hub", "--to", tmp_path / "back")
    for path in manifests:
        before = json.loads(path.read_text(encoding="utf-8"))
        after = json.loads((tmp_path / "back" / path.name).read_text(encoding="utf-8"))
        place = {"wav_path": None}
        assert {**after, **place} == {**before, **place}


def test_croissant_asks_for_what_nothing_says(sample: Sample, tmp_path: Path) -> None:
    run("import", "vsmec", sample("vsmec"), "--to", tmp_path / "vsmec")
    manifest = tmp_path / "vsmec" / "train.jsonl"
    said = run("export", manifest, "--to", tmp_path / "hub", "--format", "croissant", "--published", "2026-11-28")
    assert "note: Croissant asks for url, creator, which nothing says; give `--url`, `--creator`." in said
    document = json.loads((tmp_path / "hub" / "croissant.json").read_text(encoding="utf-8"))
    assert (document["name"], document["datePublished"]) == ("hub", "2026-11-28")
    assert document["license"] == "research only"
    with pytest.raises(DataError, match="2 of 2 rows have no audio"):
        run("export", manifest, "--to", tmp_path / "more")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "croissant", "--metadata", "csv"], "Croissant describes `jsonl`, whose columns have types."),
        (["--format", "croissant", "--published", "28.11."], "must be YYYY-MM-DD, but is `28.11.`"),
    ],
)
def test_options_that_cannot_be_used_are_refused(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    write(tmp_path / "a.wav", tone_bytes())
    write(tmp_path / "train.jsonl", "")
    assert sentence in run("export", tmp_path / "train.jsonl", "--to", tmp_path / "out", *arguments)
