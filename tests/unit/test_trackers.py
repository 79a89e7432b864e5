"""Trackers: built where a spec names them, told what happens, and unable to change what they are told."""

import json
import pickle
from collections.abc import Callable
from typing import Any, Literal

import attrs
import pytest
from pydantic import BaseModel, ConfigDict

from vietmer_core.assembly import build_trackers
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.components import Component, Role
from vietmer_core.errors import AssemblyError
from vietmer_core.hooks import hookimpl
from vietmer_core.plugins import OfferedComponent, Origin
from vietmer_core.records import EpochRecord, ReadOnly, RunRecord, StepRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_fields import CATALOGUE_KEY

DOCUMENT = {
    "labels": ["angry", "sad"],
    "data": {"train": "train.jsonl", "valid": "valid.jsonl"},
    "text": "syllable",
    "fusion": "text_only",
    "pooler": "mean",
    "sampler": "uniform",
}


class NotesParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["notes"] = "notes"


class DiaryParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["diary"] = "diary"
    title: str = "mine"


class Notes:
    """Keeps the steps it is told of."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.steps: list[int] = []

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        self.steps.append(step.step)


class MisspeltHook:
    @hookimpl
    def end_steps(self, step: StepRecord) -> None: ...


class OtherArgument:
    @hookimpl
    def end_step(self, stride: StepRecord) -> None: ...


class Silent:
    def end_step(self, step: StepRecord) -> None: ...


class Offers:
    @hookimpl
    def register_components(self) -> list[Component]:
        return []


def catalogue(notes: Any = None) -> Catalogue:
    """The installed components beside two trackers; the first makes what is given, or fails with it."""

    def build_notes(_params: NotesParams) -> object:
        if isinstance(notes, Exception):
            raise notes
        return Notes("notes") if notes is None else notes

    def offer(params: type[BaseModel], build: Any) -> OfferedComponent:
        tracker = Component(role=Role.TRACKER, params=params, build=build, summary="Notes.", licence="Apache-2.0")
        return OfferedComponent(component=tracker, origin=Origin(name="notes", distribution="notes", version="1"))

    def build_diary(params: DiaryParams) -> object:
        return Notes(params.title)

    installed = installed_catalogue().offered
    return Catalogue((*installed, offer(NotesParams, build_notes), offer(DiaryParams, build_diary)))


def spec(found: Catalogue, *trackers: object) -> ExperimentSpec:
    document = {**DOCUMENT, "trackers": list(trackers)}
    return ExperimentSpec.model_validate(document, context={CATALOGUE_KEY: found})


def test_trackers_are_built_in_the_order_of_the_spec_and_no_other() -> None:
    found = catalogue()
    built = build_trackers(spec(found, {"kind": "diary", "title": "yours"}, "notes"), found)
    assert [getattr(tracker, "title", None) for tracker in built] == ["yours", "notes"]
    assert build_trackers(spec(found), found) == []


@pytest.mark.parametrize(
    ("tracker", "sentence"),
    [
        (MisspeltHook(), "MisspeltHook must implement hooks of a run .* but implements `end_steps` instead"),
        (OtherArgument(), "end_step.*'stride'"),
        (Silent(), "Silent must implement hooks of a run .* but implements none instead"),
        (Offers(), "but implements `register_components` instead"),
        (7, "int must implement hooks of a run"),
    ],
)
def test_what_is_no_observer_is_refused(tracker: object, sentence: str) -> None:
    found = catalogue(tracker)
    with pytest.raises(AssemblyError, match=f"`tracker: notes` cannot be used: .*{sentence}"):
        build_trackers(spec(found, "notes"), found)


def test_a_tracker_that_cannot_be_built_is_named() -> None:
    found = catalogue(ValueError("`store` is a folder."))
    with pytest.raises(AssemblyError, match="`tracker: notes` cannot be built: `store` is a folder"):
        build_trackers(spec(found, "notes"), found)


def run_record() -> RunRecord:
    return RunRecord(
        folder=None,  # type: ignore[arg-type]  # not looked at here
        name="n",
        num_epochs=1,
        num_steps=1,
        steps_per_epoch=1,
        first_epoch=0,
        first_step=0,
        monitor="macro_f1",
        num_parameters=1,
        num_trainable_parameters=1,
        spec={"labels": ["a", "b"], "training": {"epochs": 3}},
    )


CHANGES: list[Callable[[Any], object]] = [
    lambda found: found.__setitem__("epochs", 4),
    lambda found: found.__delitem__(next(iter(found))),
    lambda found: found.update(epochs=4),
    lambda found: found.pop("epochs", None),
    lambda found: found.popitem(),
    lambda found: found.setdefault("more", 4),
    lambda found: found.clear(),
    lambda found: found.__ior__({"epochs": 4}),
]


def test_the_mappings_of_a_record_cannot_be_changed() -> None:
    run = run_record()
    epoch = EpochRecord(epoch=0, step=1, train_loss=1.0, valid_metrics={"loss": 1.0}, is_best=True, seconds=1.0)
    assert run.spec["labels"] == ("a", "b")
    for mapping in (run.spec, run.spec["training"], epoch.valid_metrics):
        assert isinstance(mapping, ReadOnly)
        for change in CHANGES:
            with pytest.raises(TypeError, match="a record cannot be changed"):
                change(mapping)
    assert run.spec == {"labels": ("a", "b"), "training": {"epochs": 3}}


def test_a_record_is_written_as_json_like_any_other() -> None:
    written = json.loads(json.dumps({**attrs.asdict(run_record()), "folder": ""}))
    assert written["spec"] == {"labels": ["a", "b"], "training": {"epochs": 3}}
    assert pickle.loads(pickle.dumps(run_record())) == run_record()  # noqa: S301  # our own
    copy = dict(run_record().spec)
    copy["labels"] = ()
    assert copy["labels"] == ()
