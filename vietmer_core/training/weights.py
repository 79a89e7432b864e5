"""The weights of a model as a run keeps them: without the pretrained ones that training never changes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel
from torch import Tensor, nn

from vietmer_core.errors import RunError
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.pretrained.checkpoints import CheckpointRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.training.sharded_state import whole

PRETRAINED_FIELDS: Final = ("text", "audio")


def pretrained_records(model: nn.Module) -> dict[str, CheckpointRecord]:
    """Where the pretrained weights of a model come from, by the name of the module that holds them as its `record`."""
    found = ((name, getattr(part, "record", None)) for name, part in model.named_modules())
    return {name: record for name, record in found if isinstance(record, CheckpointRecord)}


def frozen_names(model: nn.Module) -> frozenset[str]:
    """Names in the model's `state_dict` of what its pretrained checkpoints hold and training never changes."""
    return frozenset(f"{prefix}.{name}" for prefix, part in backbones(model) for name in part.frozen_names())


def model_state(model: nn.Module) -> dict[str, Any]:
    """What a checkpoint of a run holds of a model: `model`, the weights kept, and `pretrained`, the records."""
    frozen = frozen_names(model)
    kept = {name: whole(value) for name, value in model.state_dict().items() if name not in frozen}
    return {"model": kept, "pretrained": {name: record.as_json() for name, record in pretrained_records(model).items()}}


def load_model_state(model: nn.Module, state: Mapping[str, Any], *, path: Path) -> None:
    """Put a checkpoint's weights into a model that has just been built, whose frozen weights are those of its origin.

    Args:
        model: As built from the run's spec.
        state: What `model_state` gave.
        path: Of the checkpoint, for the sentence.

    Raises:
        RunError: if the pretrained files are others than those of the run, or the weights do not fit the model.
    """
    require_same_files(pretrained_records(model), state.get("pretrained", {}), path=path)
    weights = cast("Mapping[str, Tensor]", state["model"])
    frozen = frozen_names(model)
    lacking = sorted(set(model.state_dict()) - set(weights) - frozen)
    strange = sorted((set(weights) - set(model.state_dict())) | (set(weights) & frozen))
    if lacking or strange:
        told = [f"{verb} {named(names)}" for verb, names in (("lack", lacking), ("hold also", strange)) if names]
        raise RunError(f"{path}: the checkpoint does not fit the run's spec: its weights {' and '.join(told)}.")
    try:
        model.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # another shape
        detail = " ".join(str(error).split())[:200]
        raise RunError(f"{path}: the checkpoint does not fit the run's spec: {detail}") from None


def named(names: Sequence[str], most: int = 3) -> str:
    """Names for a sentence, the first few of them."""
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def require_same_files(
    found: Mapping[str, CheckpointRecord], recorded: Mapping[str, Mapping[str, Any]], *, path: Path
) -> None:
    """Refuse a checkpoint whose pretrained files are not those here.

    Args:
        found: The records of the model here, by the name of the module.
        recorded: Those of the checkpoint, as JSON.
        path: Of the checkpoint, for the sentence.

    Raises:
        RunError: naming the files that differ.
    """
    for name, record in found.items():
        before = recorded.get(name, {}).get("files", {})
        changed = sorted(file for file in {*before, *record.files} if before.get(file) != record.files.get(file))
        if changed:
            raise RunError(
                f"{path}: the run was trained on other weights of `{record.checkpoint}` than those here: "
                f"{named(changed)} {'differs' if len(changed) == 1 else 'differ'} (SHA-256). Restore the files "
                "of the run's `provenance.json`, or train anew."
            )


def pinned(spec: ExperimentSpec, model: nn.Module) -> ExperimentSpec:
    """The spec with the commits from which its model's checkpoints came, so that a run reads the same ever after."""
    records = list(pretrained_records(model).values())
    changes = {name: _pinned(getattr(spec, name), records) for name in PRETRAINED_FIELDS}
    return spec.model_copy(update={name: params for name, params in changes.items() if params is not None})


def _pinned(params: Any, records: Sequence[CheckpointRecord]) -> Any:
    """Parameters with the commit as `revision`, in parts of them too."""
    if not isinstance(params, BaseModel):
        return params
    changes = {name: _pinned(getattr(params, name), records) for name in type(params).model_fields}
    origin = changes.get("checkpoint"), changes.get("revision")
    for record in records:
        if record.commit is not None and "revision" in changes and origin == (record.checkpoint, record.revision):
            changes["revision"] = record.commit
    return params.model_copy(update=changes)


def pretrained_json(model: nn.Module) -> dict[str, list[dict[str, Any]]]:
    """The records of each encoder, for the provenance of a run."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, record in pretrained_records(model).items():
        found.setdefault(name.split(".", maxsplit=1)[0], []).append({"part": name, **record.as_json()})
    return found
