"""A run as it is told to observers, made up: for tests of trackers that need no training."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord
from vietmer_core.tracking import epoch_scalars, step_scalars
from vietmer_core.training.run_folder import RunFolder

STEPS_PER_EPOCH: Final = 3
NUM_EPOCHS: Final = 4
SPEC: Final = {
    "name": "made-up",
    "labels": ["vui", "buồn"],
    "seed": 3,
    "threads": None,
    "data": {"train": [{"path": "train.jsonl", "label_map": {"bực bội": "buồn"}}]},
    "training": {"epochs": NUM_EPOCHS, "learning_rate": 0.001, "deterministic": True},
}


def run_record(folder: Path, *, first_step: int = 0, first_epoch: int | None = None, **changes: Any) -> RunRecord:
    """The record of a run that starts at a step: of 4 epochs of 3 steps."""
    record = RunRecord(
        folder=folder,
        name="made-up",
        num_epochs=NUM_EPOCHS,
        num_steps=NUM_EPOCHS * STEPS_PER_EPOCH,
        steps_per_epoch=STEPS_PER_EPOCH,
        first_epoch=first_step // STEPS_PER_EPOCH if first_epoch is None else first_epoch,
        first_step=first_step,
        monitor="macro_f1",
        num_parameters=9,
        num_trainable_parameters=9,
        spec=SPEC,
    )
    return attrs.evolve(record, **changes)


def step_record(step: int) -> StepRecord:
    """A step, from 1; every number follows from it."""
    return StepRecord(
        epoch=(step - 1) // STEPS_PER_EPOCH,
        step=step,
        step_in_epoch=(step - 1) % STEPS_PER_EPOCH + 1,
        loss=1 / step,
        gradient_norm=float(step),
        learning_rate=0.001,
        num_utterances=8,
        padding_efficiency=0.75,
        seconds=0.5,
        memory_bytes=2**21,
    )


def epoch_record(epoch: int) -> EpochRecord:
    """An epoch, from 0."""
    return EpochRecord(
        epoch=epoch,
        step=(epoch + 1) * STEPS_PER_EPOCH,
        train_loss=0.5,
        valid_metrics={"macro_f1": (epoch + 1) / 10, "loss": 1.0},
        is_best=True,
        seconds=1.0,
    )


def finish_record(step: int, **changes: Any) -> FinishRecord:
    """The end, after a step."""
    epochs = step // STEPS_PER_EPOCH
    best = epochs - 1 if epochs else None
    value = None if best is None else (best + 1) / 10
    record = FinishRecord(outcome="finished", epoch=epochs, step=step, best_epoch=best, best_value=value, seconds=1.0)
    return attrs.evolve(record, **changes)


def records(steps: Iterable[int]) -> Iterator[StepRecord | EpochRecord]:
    """The steps, and the end of an epoch after its last."""
    for step in steps:
        yield step_record(step)
        if step % STEPS_PER_EPOCH == 0:
            yield epoch_record(step // STEPS_PER_EPOCH - 1)


def tell(tracker: Any, record: StepRecord | EpochRecord) -> None:
    """Tell one observer."""
    is_step = isinstance(record, StepRecord)
    hook = getattr(tracker, "end_step" if is_step else "end_epoch", None)
    if hook is not None:
        hook(record)


def take_steps(tracker: Any, folder: Path, steps: Iterable[int]) -> None:
    """Tell the run folder, and then a tracker, as a run does."""
    for record in records(steps):
        kind = "step" if isinstance(record, StepRecord) else "epoch"
        with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"record": kind, **attrs.asdict(record)}) + "\n")
        tell(tracker, record)


def killed_at(folder: Path, *, step: int) -> Path:
    """A copy of a run folder as a kill leaves it, put back to the checkpoint of a step, beside it."""
    left = Path(shutil.copytree(folder, folder.parent / f"{folder.name}-killed"))
    RunFolder(left).keep_records_to(step)
    return left


def expected_scalars(num_steps: int) -> dict[str, list[tuple[int, float]]]:
    """What a tracker must hold after so many steps: by name, each step with its value, once."""
    found: dict[str, list[tuple[int, float]]] = {}
    for record in records(range(1, num_steps + 1)):
        scalars = step_scalars(record) if isinstance(record, StepRecord) else epoch_scalars(record)
        for name, value in scalars.items():
            found.setdefault(name, []).append((record.step, value))
    return found
