"""A file where a folder is wanted is told before anything is read."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vietmer_core.cli.main import commands


@pytest.mark.parametrize(
    "arguments",
    [
        "ablate matrix.yaml --to taken",
        "ablate matrix.yaml --to taken/below",
        "search search.yaml --to taken",
        "ablation table matrix --to taken",
        "leaderboard build . --to taken",
        "leaderboard build taken",
        "report run --to taken",
    ],
)
def test_a_file_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("kept", encoding="utf-8")
    refused = CliRunner().invoke(commands, arguments.split())
    assert refused.exit_code == 2
    assert "`taken` is a file, not a folder. Name a folder." in refused.output
    assert Path("taken").read_text(encoding="utf-8") == "kept"
