"""`vietmer ablate` as a user sees it; killed as a whole, and twice at once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vietmer_core.ablation.results import StoredMatrix, read_matrix
from vietmer_core.cli.main import commands
from vietmer_core.errors import ElsewhereError, SpecError

Call = Callable[..., Any]
COMMAND = [sys.executable, "-m", "vietmer_core", "ablate", "matrix.yaml", "--no-audit", "--no-table"]


def ablate(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["ablate", "matrix.yaml", *arguments])


def stored(folder: Path) -> StoredMatrix:
    return read_matrix(folder / "ablations" / "tiny")


def attempts(folder: Path) -> dict[str, int]:
    """How often each cell was begun."""
    found = (folder / "ablations" / "tiny" / "cells").glob("*/attempts.jsonl")
    return {path.parent.name: len(path.read_text(encoding="utf-8").splitlines()) for path in found}


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_the_plan_says_what_would_be_run_and_runs_nothing(workplace: Path, write_matrix: Call) -> None:
    write_matrix(exclude={"pooler": "max", "loss": "focal"})
    result = ablate("--plan", "--only", "pooler=mean")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "6 cells, 2 excluded, 4 chosen; 2 kinds, replicates aside",
        "0 finished, 0 failed, 4 to run",
        "time: not known before a cell has finished; `--probe` times a few steps of each kind",
    ]
    assert not (workplace / "ablations").exists()


@pytest.mark.slow
def test_a_matrix_is_run_scored_and_a_failed_cell_run_again(workplace: Path, write_matrix: Call) -> None:
    rates = {"levels": {"low": {}, "absurd": {"training": {"learning_rate": 1e30, "gradient_clip": None}}}}
    write_matrix(axes={"rate": rates}, replicates={})
    result = ablate("--jobs", "1", "--no-table")
    assert result.exit_code == 5
    assert "finished: 1 of 2 cells, 1 failed; 2 ended now" in result.stdout
    assert "rate=absurd: " in result.stdout
    assert "Its log: " in result.stdout
    found = stored(workplace)
    assert [cell.status for cell in found.cells] == ["finished", "failed"]
    assert found.cells[0].scores()["audit"]["verdict"] in ("clean", "leak")
    result = ablate("--plan")
    assert "1 finished, 1 failed, 0 to run" in result.stdout
    assert "time:" not in result.stdout
    before = attempts(workplace)
    result = ablate("--retry", "--no-audit")
    assert result.exit_code == 5
    assert "page: " in result.stdout
    assert (workplace / "ablations" / "tiny" / "tables" / "index.html").exists()
    after = attempts(workplace)
    assert sorted(after.values()) == [1, 2]
    assert {name for name in after if after[name] != before[name]} == {found.cells[1].folder.path.name}


@pytest.mark.slow
def test_a_probe_says_about_how_long_it_takes(workplace: Path, write_matrix: Call) -> None:
    write_matrix(axes={"pooler": {"field": "pooler", "values": ["mean"]}}, replicates={})
    result = ablate("--plan", "--probe", "--jobs", "1")
    assert result.exit_code == 0
    assert "(1 of 1 kinds timed)" in result.stdout
    assert not list((workplace / "ablations" / "tiny").glob("probe/*/run"))
    assert not (workplace / "ablations" / "tiny" / "cells").exists()


@pytest.mark.slow
def test_killed_at_a_random_moment_no_cell_is_lost_and_none_repeated(workplace: Path, write_matrix: Call) -> None:
    write_matrix(set={"training": {"epochs": 4}})
    process = start(workplace, "--jobs", "2")
    finished = workplace / "ablations" / "tiny" / "cells"
    deadline = time.monotonic() + 300
    while not list(finished.glob("*/outcome.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(random.uniform(0, 0.5))  # noqa: S311  # no secret
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {cell.id: cell.outcome for cell in stored(workplace).cells if cell.outcome is not None}
    assert before
    assert start(workplace, "--jobs", "1").wait(300) == 0
    after = {cell.id: cell.outcome for cell in stored(workplace).cells}
    assert all(outcome is not None and outcome["status"] == "finished" for outcome in after.values())
    assert {name: after[name] for name in before} == before
    counts = attempts(workplace)
    assert len(counts) == 8
    assert sum(counts.values()) <= 8 + 2  # only those under way at the kill were begun twice


@pytest.mark.slow
def test_two_commands_at_once_run_each_cell_once(workplace: Path, write_matrix: Call) -> None:
    write_matrix()
    both = [start(workplace, "--jobs", "1") for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
    assert attempts(workplace) == dict.fromkeys(attempts(workplace), 1)
    assert len(attempts(workplace)) == 8
    processes = {(cell.outcome or {})["process"] for cell in stored(workplace).cells}
    assert len(processes) <= 2


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(workplace: Path, write_matrix: Call) -> None:
    write_matrix(set={"training": {"epochs": 400, "patience": None}})
    process = subprocess.Popen([*COMMAND, "--jobs", "1"], stdout=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 300
    while not list(workplace.glob("ablations/tiny/cells/*/run/metrics.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"the same command goes on from there" in output
    (begun,) = [path for path in (workplace / "ablations" / "tiny" / "cells").iterdir() if (path / "run").exists()]
    assert json.loads((begun / "run" / "status.json").read_text(encoding="utf-8"))["outcome"] == "interrupted"


def test_an_executor_that_there_is_not(write_matrix: Call) -> None:
    write_matrix()
    result = ablate("--executor", "locl")
    assert isinstance(result.exception, SpecError)
    said = str(result.exception)
    assert "--executor locl: executor.kind: no installed distribution offers `executor: locl`; installed: local" in said
    assert said.endswith("Did you mean `local`?")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--executor", "{kind: local, jbs: 2}"],
            "--executor {kind: local, jbs: 2}: executor.jbs: there is no such field",
        ),
        (["--executor", "{kind"], "--executor {kind: is not YAML"),
        (["--set", "training.epochs"], "must have the form `a.b=value`"),
        (["--set", "training.epoch=3"], "--set training.epoch=3: training.epoch: there is no such field"),
    ],
)
def test_options_that_cannot_be_used(write_matrix: Call, arguments: list[str], message: str) -> None:
    write_matrix()
    result = ablate(*arguments)
    assert isinstance(result.exception, SpecError)
    assert message in str(result.exception)


@pytest.mark.parametrize("command", ["ablate", "search"])
@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("nofile.yaml", "cannot be read:\n  nofile.yaml: there is no such file."),
        (
            "base.yaml",
            (
                "cannot be used:\n  base.yaml: looks like an experiment spec, since it has no `axes`. Train it with "
                "`vietmer train base.yaml`, or name it in a WHAT file: `base: base.yaml`."
            ),
        ),
    ],
)
@pytest.mark.usefixtures("workplace")
def test_a_file_of_another_kind(command: str, file: str, message: str) -> None:
    result = CliRunner().invoke(commands, [command, file])
    assert isinstance(result.exception, SpecError)
    what = {"ablate": "matrix", "search": "search"}[command]
    assert str(result.exception) == f"the {what} {message.replace('WHAT', what)}"


@pytest.mark.parametrize(("rank", "kind"), [("0", SpecError), ("1", ElsewhereError)])
@pytest.mark.usefixtures("workplace")
def test_a_matrix_is_no_spec_which_the_main_process_alone_tells(
    write_matrix: Call, monkeypatch: pytest.MonkeyPatch, rank: str, kind: type[Exception]
) -> None:
    write_matrix()
    monkeypatch.setenv("RANK", rank)
    result = CliRunner().invoke(commands, ["train", "matrix.yaml"])
    assert type(result.exception) is kind
    assert str(result.exception) == (
        "the spec cannot be used:\n  matrix.yaml: looks like a matrix, since it has the field `axes`. Run it with "
        "`vietmer ablate matrix.yaml`."
    )
