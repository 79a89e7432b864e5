"""Timing a few steps of a cell."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vietmer_core.ablation.job import do_job
from vietmer_core.ablation.job_folder import JOB_FILE, JobFolder, write_json
from vietmer_core.hooks import hookimpl
from vietmer_core.plugins import installed_plugins
from vietmer_core.records import StepRecord

Call = Callable[..., Any]


class Counted:
    """An observer that counts steps."""

    def __init__(self) -> None:
        self.steps = 0

    @hookimpl(tryfirst=True)
    def end_step(self, step: StepRecord) -> None:
        del step
        self.steps += 1


def test_a_probe_takes_no_more_steps_than_an_epoch_has(workplace: Path, write_matrix: Call, cells_of: Call) -> None:
    cell, *_ = cells_of(write_matrix(set={"training": {"epochs": 50}, "trackers": ["tensorboard"]}))
    folder, counted = JobFolder(workplace / "probe"), Counted()
    spec = cell.spec.resolved()
    write_json(folder.path / JOB_FILE, {"job": "probe", "id": cell.id, "split": cell.split, "spec": spec})
    installed_plugins().manager.register(counted)
    try:
        assert do_job(folder.path) == "finished", folder.outcome()
    finally:
        installed_plugins().manager.unregister(counted)
    assert counted.steps == 2  # of 100
    assert (folder.outcome() or {})["estimate"] > 0
    assert not folder.run_path.exists()


class Stopping:
    """An observer that tells the job to stop in its first step."""

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        del step
        signal.raise_signal(signal.SIGTERM)


def test_a_probe_that_is_told_to_stop_estimates_nothing(workplace: Path, write_matrix: Call, cells_of: Call) -> None:
    cell, *_ = cells_of(write_matrix(set={"training": {"epochs": 50}}))
    folder = JobFolder(workplace / "probe")
    spec = cell.spec.resolved()
    write_json(folder.path / JOB_FILE, {"job": "probe", "id": cell.id, "split": cell.split, "spec": spec})
    stop = Stopping()
    installed_plugins().manager.register(stop)
    try:
        assert do_job(folder.path) == "interrupted"
    finally:
        installed_plugins().manager.unregister(stop)
    assert folder.outcome() is None
    assert not folder.run_path.exists()
