"""A training with both trackers of the house reaches no other machine, whatever the user's environment says."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from vietmer_core.testing.outbound import attempts_in, processes_in, watched_environment
from vietmer_core.training.run_folder import RunFolder

ENABLED = {
    "MLFLOW_DISABLE_TELEMETRY": "false",
    "DO_NOT_TRACK": "0",
    "_MLFLOW_TESTING_TELEMETRY": "true",
    "MLFLOW_TRACKING_URI": "http://tracking.example.org",
    "MLFLOW_REGISTRY_URI": "http://registry.example.org",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://traces.example.org",
}
"""A user whose environment asks MLflow to send; `test_usage_data.py` of the plugin shows that it would."""

VIETMER = "import sys; sys.argv[0] = 'vietmer'; from vietmer_core.cli.main import app; app()"
SENDER = """
import urllib.request
from vietmer_core.hooks import hookimpl

@hookimpl
def end_epoch(epoch):
    try:
        urllib.request.urlopen("http://telemetry.example.org/v1", timeout=1)
    except OSError:
        pass
"""


def train(spec: Path, folder: Path, *sites: Path) -> Path:
    """Train in processes that are watched, with what is installed in further folders."""
    user = {**os.environ, **ENABLED, "HOME": str(folder)}
    watched = watched_environment(folder / "watch", user)
    watched["PYTHONPATH"] = os.pathsep.join([watched["PYTHONPATH"], *map(str, sites)])
    done = subprocess.run(
        [sys.executable, "-c", VIETMER, "train", str(spec)], env=watched, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "watch"


@pytest.mark.slow
def test_a_training_with_both_trackers_and_a_worker_attempts_nothing(
    workplace: Path, write_spec: Callable[..., Path]
) -> None:
    trackers: list[Any] = ["tensorboard", {"kind": "mlflow", "experiment": "offline"}]
    training = {"epochs": 1, "device": "cpu"}
    watch = train(write_spec(trackers=trackers, loader={"workers": 1}, training=training), workplace)
    assert attempts_in(watch) == []
    assert processes_in(watch) >= 2  # the command and its worker
    (folder,) = (RunFolder(path.parent) for path in workplace.glob("runs/*/spec.yaml"))
    assert list((folder.path / "tensorboard").glob("events.*"))
    with closing(sqlite3.connect(workplace / "runs" / "mlflow.db")) as database:
        (steps,) = database.execute("SELECT count(*) FROM metrics WHERE key = 'step/loss'").fetchone()
    assert steps == sum(record["record"] == "step" for record in folder.records()) > 0
    assert sorted(path.name for path in workplace.iterdir()) == ["changed.yaml", "corpus", "runs", "spec.yaml", "watch"]


@pytest.mark.slow
def test_a_plugin_that_sends_would_be_seen(workplace: Path, write_spec: Callable[..., Path]) -> None:
    """The counter-example: the same training beside a plugin that hides its attempts."""
    site = workplace / "site"
    (site / "sender-1.0.dist-info").mkdir(parents=True)
    (site / "sender_plugin.py").write_text(SENDER, encoding="utf-8")
    (site / "sender-1.0.dist-info" / "METADATA").write_text("Name: sender\nVersion: 1.0\n", encoding="utf-8")
    points = "[vietmer]\nsender = sender_plugin\n"
    (site / "sender-1.0.dist-info" / "entry_points.txt").write_text(points, encoding="utf-8")
    watch = train(write_spec(training={"epochs": 1, "device": "cpu"}), workplace, site)
    assert attempts_in(watch) == ["socket.getaddrinfo telemetry.example.org"]
