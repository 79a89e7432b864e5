"""`vietmer reproduce`: a run again, from its folder alone, and whether it is the same."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import torch

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.errors import RunError
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_document import SpecDocument
from vietmer_core.spec_loading import validate_document
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.history import stages
from vietmer_core.training.initial import kept_initial
from vietmer_core.training.resuming import PROVENANCE_FILE, versions
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import read_spec
from vietmer_core.training.runs import resume_run, start_run

MOST_TOLD: Final = 5


@attrs.frozen(kw_only=True)
class Reproduction:
    """A run and its repetition.

    Attributes:
        original: The run.
        repeated: Its repetition.
        num_tensors: Tensors of the last and of the best checkpoint that were compared.
        num_records: Records of steps and epochs that were compared.
        conditions: What is otherwise here than where the run was made, a clause each.
        differences: What came out otherwise, a sentence each, the first ones; empty where all is equal to the bit.
    """

    original: RunFolder
    repeated: RunFolder
    num_tensors: int
    num_records: int
    conditions: tuple[str, ...]
    differences: tuple[str, ...]


def reproduce(
    path: Path,
    *,
    root: Path,
    observers: Sequence[object] = (),
    catalogue: Catalogue | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Reproduction:
    """Train a run again with the spec in its folder, and compare weights and metrics to the bit.

    Where the run was continued with other settings, the repetition stops at the same steps and goes on with them.

    Args:
        path: Folder of the run.
        root: Where the repetition is put.
        observers: Told of its steps.
        catalogue: Where its components come from.
        say: Takes a line for the user.

    Raises:
        RunError: if the run has not ended, or its data is not that of the run.
    """
    folder, catalogue = RunFolder.open(path), catalogue or installed_catalogue()
    _require_finished(folder)
    record = folder.read_json(PROVENANCE_FILE)
    (spec, stop_at), *later = [
        (_validated(values, folder, catalogue), position)
        for values, position in stages(record, read_spec(folder, catalogue).resolved())
    ]
    given = partial(start_run, spec, root=root, observers=observers, catalogue=catalogue, say=say)
    repeated, _ = given(stop_at=stop_at, initial=kept_initial(folder, spec), expected=record.get("data", {}))
    resume = partial(resume_run, repeated.path, observers=observers, catalogue=catalogue, say=say)
    for spec, stop_at in later:
        resume(spec=spec, stop_at=stop_at)
    return compare(folder, repeated)


def _validated(values: dict[str, Any], folder: RunFolder, catalogue: Catalogue) -> ExperimentSpec:
    document = SpecDocument(values=values, places={}, files=(str(folder.spec_path),))
    return validate_document(document, catalogue=catalogue)


def _require_finished(folder: RunFolder) -> None:
    outcome = folder.read_status().get("outcome")
    if outcome not in ("finished", "stopped_early"):
        raise RunError(
            f"{folder.path}: a run must have ended to be reproduced, but its outcome is `{outcome}`. Continue it with "
            f"`vietmer train --resume {folder.path}`."
        )


def compare(original: RunFolder, repeated: RunFolder) -> Reproduction:
    """Weights and records of two runs, to the bit.

    Raises:
        RunError: if a checkpoint of one cannot be read.
    """
    differences: list[str] = []
    num_tensors = 0
    for name in ("last_checkpoint", "best_checkpoint"):
        before, after = (load_checkpoint(getattr(run, name)) for run in (original, repeated))
        num_tensors += len(before["model"])
        differences += _different_weights(before["model"], after["model"], what=getattr(original, name).name)
    before_records, after_records = original.results(), repeated.results()
    differences += _different_records(before_records, after_records)
    return Reproduction(
        original=original,
        repeated=repeated,
        num_tensors=num_tensors,
        num_records=len(before_records),
        conditions=tuple(_conditions(original.read_json(PROVENANCE_FILE), repeated.read_json(PROVENANCE_FILE))),
        differences=tuple(differences),
    )


def _different_weights(
    before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor], *, what: str
) -> list[str]:
    names = [name for name in {**before, **after} if not _equal(before.get(name), after.get(name))]
    if not names:
        return []
    pairs = [(before[name], after[name]) for name in names if _comparable(before, after, name)]
    farthest = max((float((old.double() - new.double()).abs().max()) for old, new in pairs), default=float("nan"))
    shown = ", ".join(f"`{name}`" for name in names[:MOST_TOLD])
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    return [f"{what}: {len(names)} of {len(before)} tensors differ, by up to {farthest:.2g}: {shown}{more}"]


def _comparable(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor], name: str) -> bool:
    return name in before and name in after and before[name].shape == after[name].shape and before[name].numel() > 0


def _equal(before: torch.Tensor | None, after: torch.Tensor | None) -> bool:
    return before is not None and after is not None and torch.equal(before, after)


def _different_records(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> list[str]:
    if len(before) != len(after):
        return [f"metrics.jsonl: {len(after)} records instead of {len(before)}"]
    found = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    if not found:
        return []
    old, new = found[0]
    fields = [f"`{name}` {pair[0]} → {pair[1]}" for name, pair in _pairs(old, new).items()]
    place = old["step"] if old["record"] == "step" else old["epoch"] + 1
    where = f"first that of {old['record']} {place}"
    return [f"metrics.jsonl: {len(found)} of {len(before)} records differ, {where}: {'; '.join(fields)}"]


def _conditions(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is otherwise here and may explain a difference."""
    pairs = {
        **_pairs(versions(before), versions(after)),
        **_pairs(before, after, names=("python", "processes", "threads")),
        **_pairs(before.get("hardware", {}), after.get("hardware", {}), names=("processor", "gpu", "machine")),
    }
    here = after.get("processes")
    others = sorted({entry.get("processes", here) for entry in before.get("resumed", [])} - {here})
    continued = [f"`processes` of a continuation {number} → {here}" for number in others]
    return [*(f"`{name}` {old} → {new}" for name, (old, new) in pairs.items()), *continued]


def _pairs(
    before: Mapping[str, Any], after: Mapping[str, Any], *, names: Sequence[str] | None = None
) -> dict[str, tuple[Any, Any]]:
    """The values that differ, by name: those of `names` that were recorded, or all."""
    chosen = {**before, **after} if names is None else [name for name in names if name in before]
    values = {name: (before.get(name, "none"), after.get(name, "none")) for name in chosen}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1]}
