"""The command `vietmer` as a whole: what it writes on any stream, and the code it leaves with."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vietmer_core.cli import main
from vietmer_core.errors import EXIT_FOUND, EXIT_PLUGIN, EXIT_USAGE
from vietmer_core.plugins import STRICT_VARIABLE

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; sys.argv[0] = 'vietmer'; from vietmer_core.cli.main import app; app()"
ADDED = """
import typer
from vietmer_core.cli import main

@main.commands.command()
def say():
    typer.echo("█ ✓ buồn")
    typer.echo("█ ✓ vui", err=True)

main.app()
"""
NOWHERE = """
labels: [a, b]
data: {train: {path: a.jsonl}, valid: {path: b.jsonl}}
text: quux_is_nowhere
fusion: mean
"""


def run(folder: Path, source: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program that holds the command, in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name != STRICT_VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**inherited, **environment},
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1:strict", "utf-8"])
def test_what_is_written_is_utf8_on_any_stream(tmp_path: Path, encoding: str) -> None:
    done = run(tmp_path, ADDED, "say", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == "█ ✓ buồn"
    assert done.stderr.decode().strip() == "█ ✓ vui"


def test_a_command_writes_a_vietnamese_name_on_a_narrow_stream(tmp_path: Path) -> None:
    done = run(tmp_path, COMMAND, "data", "check", "buồn.jsonl", PYTHONIOENCODING="cp1252", PYTHONUTF8="1")
    assert done.returncode == EXIT_FOUND, done.stderr.decode()
    assert "buồn.jsonl" in done.stdout.decode()


def test_a_stream_that_is_utf8_or_cannot_be_reconfigured_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="UTF8", errors="surrogateescape")
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(sys, "argv", ["vietmer", "--help"])
    with pytest.raises(SystemExit):
        main.app()
    assert (stdout.encoding, stdout.errors) == ("UTF8", "surrogateescape")


def row(code: int) -> str:
    (text,) = re.findall(rf"^\| {code} \| (.+) \|$", (ROOT / "docs/exit-codes.md").read_text("utf-8"), re.MULTILINE)
    return str(text)


@pytest.mark.parametrize("command", [["train"], ["data", "check", "a.jsonl", "--spec"]])
def test_a_spec_that_names_a_kind_not_installed_leaves_with_2_as_documented(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "spec.yaml").write_text(NOWHERE, encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("", encoding="utf-8")
    done = run(tmp_path, COMMAND, *command, "spec.yaml")
    assert done.returncode == EXIT_USAGE
    assert "no installed distribution offers `text: quux_is_nowhere`" in done.stderr.decode()
    assert "a kind that is not installed" in row(EXIT_USAGE)
    assert "not in a spec" in row(EXIT_PLUGIN)


def test_data_check_leaves_with_4_only_where_its_help_says_so(tmp_path: Path) -> None:
    info = tmp_path / "quux-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quux\nVersion: 9.9\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[vietmer]\nquux = quux_is_nowhere\n", encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(NOWHERE, encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("", encoding="utf-8")
    check = (COMMAND, "data", "check", "a.jsonl", "--spec", "spec.yaml")
    assert run(tmp_path, *check, PYTHONPATH=str(tmp_path)).returncode == EXIT_USAGE
    assert run(tmp_path, *check, PYTHONPATH=str(tmp_path), **{STRICT_VARIABLE: "1"}).returncode == EXIT_PLUGIN
    shown = run(tmp_path, COMMAND, "data", "check", "--help", PYTHONIOENCODING="utf-8", COLUMNS="400").stdout.decode()
    said = re.sub(r"\s+", " ", shown)
    assert f"4 `--spec` is given, a plugin is broken and {STRICT_VARIABLE} is set;" in said
