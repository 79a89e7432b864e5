"""MLflow sends no usage data, in any order of imports, whatever the environment says; without the switch it would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vietmer_core.testing.outbound import attempts_in, watched_environment

ENABLED = {"MLFLOW_DISABLE_TELEMETRY": "false", "DO_NOT_TRACK": "1"}
"""A user who lets MLflow send; the usual value of `DO_NOT_TRACK` does not keep it from that."""
FORCED = {**ENABLED, "_MLFLOW_TESTING_TELEMETRY": "true"}

SWITCH = "from vietmer_tracker_mlflow.usage_data import switch_off_usage_data; switch_off_usage_data()"
IMPORT = "import threading; from mlflow.telemetry import get_telemetry_client; from mlflow.tracking import MlflowClient"
USE = """
client = MlflowClient(tracking_uri="sqlite:///mlflow.db", registry_uri="sqlite:///mlflow.db")
client.create_run(client.create_experiment("one"))
for thread in threading.enumerate():
    if thread.name == "GetTelemetryConfig":  # it asks where to send
        thread.join()
"""
SILENT = "assert get_telemetry_client() is None"
IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{IMPORT}; {SILENT}'], check=True)"


def attempts(folder: Path, empty_store: Path, environment: dict[str, str], *lines: str) -> list[str]:
    """What a program tries to reach."""
    shutil.copy(empty_store, folder / "mlflow.db")
    watched = watched_environment(folder / "watch", {**os.environ, **environment, "HOME": str(folder)})
    command = [sys.executable, "-W", "ignore", "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=folder, env=watched, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return attempts_in(folder / "watch")


@pytest.mark.slow
def test_mlflow_alone_sends(tmp_path: Path, empty_store: Path) -> None:
    """The counter-example of all tests that see no attempt."""
    (host,) = {attempt.split()[1] for attempt in attempts(tmp_path, empty_store, ENABLED, IMPORT, USE)}
    assert host.endswith("mlflow-telemetry.io")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "order"),
    [
        pytest.param(ENABLED, (SWITCH, IMPORT), id="enabled"),
        pytest.param(FORCED, (SWITCH, IMPORT), id="forced"),
        pytest.param(FORCED, (IMPORT, SWITCH), id="forced and imported already"),
    ],
)
def test_switched_off_mlflow_sends_nothing(
    tmp_path: Path, empty_store: Path, environment: dict[str, str], order: tuple[str, str]
) -> None:
    assert attempts(tmp_path, empty_store, environment, *order, SILENT, USE, SILENT, IN_A_CHILD) == []
