"""Trackers in a run: told of it where the spec names them, in a run that continues too, and recorded."""

import os
import signal
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.components import Component, Role
from vietmer_core.errors import RunError
from vietmer_core.hooks import hookimpl
from vietmer_core.plugins import OfferedComponent, Origin
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run


class NotesParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["notes"] = "notes"


class Notes:
    """Writes down what it is told, in a list of the class: a run that continues makes another object."""

    told: ClassVar[list[str]] = []

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        assert (run.folder / "provenance.json").is_file()
        assert run.spec["trackers"] == ({"kind": "notes"},)
        self.told.append(f"start {run.first_step}")

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        self.told.append(f"step {step.step}")
        if self.told == ["start 0", "step 1", "step 2"]:
            os.kill(os.getpid(), signal.SIGINT)

    @hookimpl
    def end_epoch(self, epoch: EpochRecord) -> None:
        self.told.append(f"epoch {epoch.epoch}")

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        self.told.append(finish.outcome)


def with_notes() -> Catalogue:
    component = Component(
        role=Role.TRACKER, params=NotesParams, build=lambda _: Notes(), summary="Notes.", licence="Apache-2.0"
    )
    origin = Origin(name="notes", distribution="notes-distribution", version="1.2")
    return Catalogue((*installed_catalogue().offered, OfferedComponent(component=component, origin=origin)))


def read(workplace: Path, catalogue: Catalogue, *overrides: str) -> ExperimentSpec:
    return load_spec([workplace / "spec.yaml"], ["training.epochs=1", *overrides], catalogue=catalogue)


def test_a_tracker_is_told_where_the_spec_names_it_and_again_where_the_run_continues(workplace: Path) -> None:
    Notes.told.clear()
    catalogue = with_notes()
    start_run(read(workplace, catalogue), root=workplace / "without", catalogue=catalogue)
    assert Notes.told == []
    stopped, _ = start_run(read(workplace, catalogue, "trackers=notes"), root=workplace / "with", catalogue=catalogue)
    assert Notes.told == ["start 0", "step 1", "step 2", "interrupted"]
    resume_run(stopped.path, catalogue=catalogue)
    assert Notes.told[4:] == ["start 2", "step 3", "epoch 0", "finished"]
    (row,) = [row for row in stopped.read_json("provenance.json")["components"] if row["role"] == "tracker"]
    found = {name: row[name] for name in ("kind", "distribution", "version", "used")}
    assert found == {"kind": "notes", "distribution": "notes-distribution", "version": "1.2", "used": True}


class Faulty:
    """Fails in one hook, from one step on."""

    def __init__(self, *events: str) -> None:
        self.events = events

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        if step.step == 2 and "end_step" in self.events:
            raise ZeroDivisionError("of mine")

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        if "finish_run" in self.events:
            raise ZeroDivisionError(f"{finish.outcome} of mine")


class Told:
    """Keeps how the run ended, as it was told."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        self.outcomes.append(finish.outcome)


def steps(folder: RunFolder) -> list[dict[str, object]]:
    measured = ("seconds", "memory_bytes")
    return [{key: value for key, value in record.items() if key not in measured} for record in folder.records()]


def test_the_run_folder_has_every_step_where_a_tracker_fails_and_the_run_continues(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["training.epochs=2"])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    with pytest.raises(RunError, match="an observer failed in `end_step`: ZeroDivisionError: of mine"):
        start_run(spec, root=workplace / "broken", observers=[Faulty("end_step")])
    broken = RunFolder(next((workplace / "broken").iterdir()))
    assert [record["step"] for record in broken.records()] == [1, 2]
    assert broken.read_status()["outcome"] == "failed"
    resume_run(broken.path)
    assert steps(broken) == steps(unbroken)


def test_every_observer_is_told_of_the_end_where_one_fails(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["training.epochs=1"])
    before, after = Told(), Told()
    observers = [before, Faulty("finish_run"), after]
    with pytest.raises(RunError, match="an observer failed in `finish_run`: ZeroDivisionError: finished of mine"):
        start_run(spec, root=workplace / "runs", observers=observers)
    assert (before.outcomes, after.outcomes) == (["finished"], ["finished"])
    assert RunFolder(next((workplace / "runs").iterdir())).read_status()["outcome"] == "finished"
