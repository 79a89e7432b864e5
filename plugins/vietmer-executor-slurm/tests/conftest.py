import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

SOURCE = Path(__file__).with_name("fake_slurm.py")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Slurm of this machine, on the PATH: `STATES` is where it keeps states and scripts, `send` sends a signal."""
    states = tmp_path / "slurm" / "states"
    monkeypatch.setenv("PATH", f"{tmp_path / 'slurm'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(states))
    monkeypatch.setattr(SlurmJob, "watcher", SlurmInfoWatcher(delay_s=600))  # ids begin anew in each test
    found = importlib.util.spec_from_file_location("fake_slurm", SOURCE)
    assert found is not None
    assert found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    made.install(tmp_path / "slurm")
    yield made
    for path in states.glob("*.pid"):
        made.send(path.stem, signal.SIGKILL)
