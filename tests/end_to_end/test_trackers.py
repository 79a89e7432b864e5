"""Trackers in a run: told of it where the spec names them, in a run that continues too, and recorded."""

import os
import signal
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.plugins import OfferedComponent, Origin
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec
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
