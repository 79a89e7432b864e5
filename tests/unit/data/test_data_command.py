import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vietmer_core.cli.data import commands
from vietmer_core.errors import DataError, DataProblemsError

MakeRow = Callable[..., Any]
MakeFile = Callable[..., Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_warnings_alone_leave_with_0_and_errors_with_1(make_row: MakeRow, write_manifest: MakeFile) -> None:
    path = write_manifest(make_row(), make_row())
    result = run("check", path)
    assert result.exit_code == 0
    assert f"{path}:2: wav_path: warning [absent-audio] the row has no audio." in result.stdout
    assert "2 rows and 0 recordings checked (0.00 h of audio): 0 errors, 2 warnings." in result.stdout
    result = run("check", path, "--require", "audio,text")
    assert result.exit_code == 1
    assert f"{path}:1: wav_path: error [absent-audio]" in result.stdout


def test_many_similar_warnings_are_counted_but_errors_are_all_printed(
    make_row: MakeRow, write_manifest: MakeFile
) -> None:
    path = write_manifest(*(make_row(emotion=f"x{number}") for number in range(12)))
    result = run("check", path, "--labels", "happy, sad")
    assert result.stdout.count("warning [absent-audio]") == 5
    assert "… and 7 more of [absent-audio]; --json lists all." in result.stdout
    assert result.stdout.count("error [unknown-label]") == 12


def test_the_json_report_holds_everything(make_row: MakeRow, write_manifest: MakeFile) -> None:
    path = write_manifest(*(make_row() for _ in range(7)), make_row(emotion="hapy"), b"\xff")
    result = run("check", path, "--labels", "happy,sad", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["version"] == 1
    assert report["files"] == [str(path)]
    assert report["counts"] == {
        "rows": 8,
        "recordings": 0,
        "audio_seconds": 0.0,
        "errors": 2,
        "warnings": 8,
        "by_code": {"absent-audio": 8, "not-utf8": 1, "unknown-label": 1},
    }
    assert len(report["problems"]) == 10
    assert report["problems"][7] == {
        "file": str(path),
        "line": 8,
        "field": "emotion",
        "severity": "error",
        "code": "unknown-label",
        "message": "`hapy` is not in the label space: `happy`, `sad`.",
        "remedy": "Did you mean `happy`?",
    }
    assert report["problems"][9]["field"] is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--require", "audio,smell"], "must be of audio, text, label, but is `smell`"),
        (["--labels", "a,,b"], "must be names separated by commas, but is `a,,b`"),
        (["--labels", "a,b", "--spec", "s.yaml"], "either `--labels` or `--spec`"),
        (["--label-field", "end"], "must name a field for labels, but `end` has another use"),
        (["--root", "nowhere"], "'nowhere' does not exist"),
        (["split.jsonl"], "named twice"),
        (["--colour"], "No such option"),
    ],
)
def test_an_unusable_command_line_leaves_with_2(
    make_row: MakeRow,
    write_manifest: MakeFile,
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_manifest(make_row())
    result = run("check", "split.jsonl", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_audio_below_a_root_is_found(make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile) -> None:
    audio = write_audio("deep/a.flac")
    path = write_manifest(make_row(wav_path="a.flac"))
    assert run("check", path, "--root", audio.parent).exit_code == 0
    result = run("check", path)
    assert result.exit_code == 1
    assert "[missing-file]" in result.stdout


def test_a_spec_gives_labels_field_maps_and_roots(
    make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vietmer_core.spec import DataSpec

    audio = write_audio("deep/a.flac")
    rows = [make_row(attitude=label, wav_path="a.flac") for label in ("joy", "khác", "buồn")]
    train = write_manifest(*rows, name="train.jsonl")
    other = write_manifest(make_row(attitude="joy"), name="other.jsonl")
    named = {"path": train, "root": audio.parent, "label_map": {"joy": "vui", "khác": None}}

    class Experiment:
        labels = ("vui", "buồn")
        label_field = "attitude"
        soft_label_field = None
        data = DataSpec.model_validate({"train": named, "valid": other})

    monkeypatch.setattr("vietmer_core.spec_loading.load_spec", lambda paths: Experiment() if paths else None)
    assert run("check", train, "--spec", tmp_path / "spec.yaml").exit_code == 0
    result = run("check", other, "--spec", tmp_path / "spec.yaml")
    assert result.exit_code == 1
    assert "`joy` is not in the label space: `buồn`, `vui`." in result.stdout


def test_a_label_that_is_missing_is_one_line_with_its_rows(make_row: MakeRow, write_manifest: MakeFile) -> None:
    path = write_manifest(*(make_row(emotion=label) for label in ("sad", "joy", "fun", "joy", "joy")))
    shown = run("check", path, "--labels", "sad").stdout
    assert shown.count("[unknown-label]") == 2
    assert f"{path}:2: emotion: error [unknown-label] `joy` is not in the label space: `sad`. So in 3 rows" in shown
    report = json.loads(run("check", path, "--labels", "sad", "--json").stdout)
    assert report["counts"]["by_code"]["unknown-label"] == 4


def test_soft_labels_are_checked_where_their_field_is_named(make_row: MakeRow, write_manifest: MakeFile) -> None:
    path = write_manifest(make_row(emotion_probs={"happy": 0.5}))
    assert run("check", path).exit_code == 0
    result = run("check", path, "--soft-label-field", "emotion_probs")
    assert result.exit_code == 1
    assert "1: emotion_probs: error [bad-probabilities] the probabilities must sum to 1" in result.stdout
    for name in ("transcript", "emotion"):
        refused = run("check", path, "--soft-label-field", name)
        assert refused.exit_code == 2
        assert f"`{name}` has another use" in " ".join(refused.output.replace("│", " ").split())


def test_stats_print_json_and_draw(make_row: MakeRow, write_manifest: MakeFile, tmp_path: Path) -> None:
    path = write_manifest(make_row(polarity="+"), make_row(polarity="-"), make_row(polarity="+"))
    result = run("stats", path, "--label-field", "polarity", "--json", "--picture", tmp_path / "split.png")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["version"] == 1
    assert document["classes"] == {"+": 2, "-": 1}
    assert (tmp_path / "split.png").exists()
    assert "rows per speaker" in run("stats", path).stdout


def test_stats_of_a_bad_manifest_name_every_problem(
    make_row: MakeRow, write_manifest: MakeFile, tmp_path: Path
) -> None:
    result = run("stats", write_manifest(make_row(start=-1), b"{"))
    assert isinstance(result.exception, DataProblemsError)
    assert len(result.exception.problems) == 2
    assert isinstance(run("stats", tmp_path / "none.jsonl").exception, DataError)


@pytest.mark.slow
def test_the_program_prints_a_sentence_and_leaves_with_3(tmp_path: Path) -> None:
    code = "from vietmer_core.cli.main import app; app()"
    command = [sys.executable, "-c", code, "data", "stats", str(tmp_path / "none.jsonl")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 3
    assert result.stderr == f"error: manifest `{tmp_path / 'none.jsonl'}` does not exist. Check the path.\n"


@pytest.mark.parametrize("command", ["check", "stats"])
def test_help_names_every_exit_code(command: str) -> None:
    codes = {"check": (0, 1, 2, 4, 130), "stats": (0, 2, 3, 130)}[command]
    text = run(command, "--help").stdout
    assert "Exit codes: " in text
    epilog = " ".join(text.split("Exit codes: ")[1].split())
    assert [int(part.split()[0]) for part in epilog.split("; ")] == list(codes)


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = ("numpy", "rich", "soundfile", "torch", "pydantic")
    code = f"import sys, vietmer_core.cli.data; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
