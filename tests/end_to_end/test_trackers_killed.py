"""A training with both trackers that is killed twice ends with each step once, in both and in its folder."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import STORE_EVERYTHING_SIZE_GUIDANCE, EventAccumulator

from tests.forked import Forked
from vietmer_core.training.run_folder import RunFolder

WATCHED = ("step/loss", "step/learning_rate", "train/loss", "valid/macro_f1")


def kill_after(step: int, *arguments: str, runs: Path) -> Path:
    """Run the command, and SIGKILL it when its run folder has the step."""
    process = Forked("train", *arguments, environment={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    while process.poll() is None:
        for file in runs.glob("*/metrics.jsonl"):
            if file.read_text(encoding="utf-8").count('"record": "step"') >= step:
                process.send_signal(signal.SIGKILL)
        time.sleep(0.01)
    assert process.wait() == -signal.SIGKILL
    (spec,) = runs.glob("*/spec.yaml")
    return spec.parent


def in_the_folder(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in WATCHED}
    for record in folder.records():
        if record["record"] == "step":
            found["step/loss"].append((record["step"], record["loss"]))
            found["step/learning_rate"].append((record["step"], record["learning_rate"]))
        elif record["record"] == "epoch":
            found["train/loss"].append((record["step"], record["train_loss"]))
            found["valid/macro_f1"].append((record["step"], record["valid_metrics"]["macro_f1"]))
    return found


def in_mlflow(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    query = "SELECT step, value FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY step"
    run = folder.read_json("mlflow.json")["run_id"]
    with closing(sqlite3.connect(folder.path.parent / "mlflow.db")) as database:
        assert database.execute("SELECT run_uuid, status FROM runs").fetchall() == [(run, "FINISHED")]
        return {name: database.execute(query, (run, name)).fetchall() for name in WATCHED}


def in_tensorboard(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(folder.path / "tensorboard"), size_guidance=STORE_EVERYTHING_SIZE_GUIDANCE)
    found.Reload()
    return {name: [(event.step, event.value) for event in found.Scalars(name)] for name in WATCHED}


@pytest.mark.slow
def test_each_step_is_there_once_where_a_run_is_killed_and_continues(
    workplace: Path, write_spec: Callable[..., Path]
) -> None:
    training = {"epochs": 12, "checkpoint_every": 2, "patience": None, "device": "cpu"}
    spec = write_spec(trackers=["tensorboard", "mlflow"], training=training)
    path = kill_after(4, str(spec), runs=workplace / "runs")
    kill_after(9, "--resume", str(path), runs=workplace / "runs")
    assert Forked("train", "--resume", path).wait() == 0
    folder = RunFolder(path)
    expected = in_the_folder(folder)
    assert [step for step, _ in expected["step/loss"]] == list(range(1, 37))
    assert [step for step, _ in expected["train/loss"]] == list(range(3, 37, 3))
    assert in_mlflow(folder) == expected
    for name, values in in_tensorboard(folder).items():
        assert [step for step, _ in values] == [step for step, _ in expected[name]], name
        assert [value for _, value in values] == pytest.approx([value for _, value in expected[name]], rel=1e-6), name
