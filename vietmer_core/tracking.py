"""What trackers share: records as named numbers, a spec as flat text, what the folder of a run kept. Torch-free."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from vietmer_core.records import EpochRecord, RunRecord, StepRecord
from vietmer_core.training.run_folder import RunFolder

MIB: Final = 2**20
_PLAIN: Final = re.compile(r"\w+(?:\.\w+)*")


def step_scalars(step: StepRecord) -> dict[str, float]:
    """The numbers of one step by name; utterances a second over all processes, memory in MiB."""
    return {
        "step/loss": step.loss,
        "step/gradient_norm": step.gradient_norm,
        "step/learning_rate": step.learning_rate,
        "step/utterances_per_second": step.num_utterances / step.seconds if step.seconds else 0.0,
        "step/padding_efficiency": step.padding_efficiency,
        "step/memory_mib": step.memory_bytes / MIB,
    }


def epoch_scalars(epoch: EpochRecord) -> dict[str, float]:
    """The numbers of one epoch by name: the loss of training, and each validation metric."""
    valid = {f"valid/{name}": float(value) for name, value in epoch.valid_metrics.items()}
    return {"train/loss": epoch.train_loss, **valid}


def kept_records(run: RunRecord, *, after: int) -> Iterator[StepRecord | EpochRecord]:
    """What the run folder has kept of the steps after `after` that a run which continues will not take again.

    A tracker that buffers loses what a kill cut off, and may hold steps past the checkpoint. It drops what it has after
    some step that it has written whole, takes what is missing from here, and equals the run folder.

    Args:
        run: The record of the run that continues.
        after: A step, at most `run.first_step - 1`: the end of an epoch may have been told at `run.first_step`, and
            will be told again.
    """
    for record in RunFolder(run.folder).records():
        if not after < record["step"] <= run.first_step:
            continue
        if record["record"] == "step":
            yield StepRecord(**_fields(StepRecord, record))
        elif _is_kept_epoch(record, run):
            yield EpochRecord(**_fields(EpochRecord, record))


def kept_epochs(run: RunRecord) -> Iterator[EpochRecord]:
    """The epochs that a run which continues has scored, and will not score again."""
    for record in RunFolder(run.folder).records():
        if _is_kept_epoch(record, run):
            yield EpochRecord(**_fields(EpochRecord, record))


def _is_kept_epoch(record: Mapping[str, Any], run: RunRecord) -> bool:
    return bool(record["record"] == "epoch" and record["epoch"] < run.first_epoch)


def _fields(record: type[StepRecord | EpochRecord], values: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: values[field.name] for field in attrs.fields(record) if field.name in values}


Scalar = str | bool | int | float


def flat_spec(spec: Mapping[str, Any]) -> dict[str, Scalar]:
    """A resolved spec by dotted name: `fusion.num_heads` is 8, `data.train.0.path` the path.

    A mapping is spelt out where its names are words, a list where it holds mappings. Text, numbers, true and false are
    themselves; all else is JSON: null, plain lists, and mappings of other names, such as a `label_map`.
    """
    return dict(_flat(spec, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, Scalar]]:
    entries: Sequence[tuple[str, Any]] = ()
    if isinstance(value, Mapping) and all(_PLAIN.fullmatch(str(key)) for key in value):
        entries = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        entries = [(str(index), inner) for index, inner in enumerate(value)]
    for key, inner in entries:
        yield from _flat(inner, f"{name}.{key}" if name else key)
    if not entries and name:
        yield name, value if isinstance(value, Scalar) else json.dumps(value, ensure_ascii=False)
