"""Initial weights from other runs (`initialise`): a part begins where the best checkpoint of a run ended.

They are read once, before the first step. `initial.pt` in the run's folder keeps them, so that the run can be made
again when the runs that they came from are gone; a run that is resumed reads its own last checkpoint.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs
from torch import Tensor

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality
from vietmer_core.errors import AssemblyError, RunError
from vietmer_core.features.identity import random_weights
from vietmer_core.files import file_sha256
from vietmer_core.model import EmotionModel
from vietmer_core.pretrained.params import is_folder
from vietmer_core.spec import ExperimentSpec, reads
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import read_spec
from vietmer_core.training.weights import frozen_names, named, pretrained_records, require_same_files

PREFIXES: Final = {"text": "text.", "audio": "audio.", "fusion": "fusion.", "pooler": "poolers.", "head": "head."}
"""What the names of a part's weights begin with in the model's `state_dict`."""
MAY_DIFFER: Final = frozenset({"dropout", "spec_augment"})
"""Parameters that act in training alone: the weights mean the same under other values."""
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({"model": {}, "sources": {}})
"""What `initial_state` gives where no run is named."""


@attrs.frozen(kw_only=True, eq=False)
class _Source:
    """A run that parts begin from."""

    folder: RunFolder
    spec: ExperimentSpec
    state: Mapping[str, Any]
    sha256: str

    @property
    def record(self) -> dict[str, Any]:
        """For the provenance of the run that begins here."""
        return {
            "run": self.folder.path.name,
            "checkpoint_sha256": self.sha256,
            "epoch": self.state.get("epoch"),
            "data": self.folder.read_json("provenance.json").get("data", {}),
        }


def initial_state(model: EmotionModel, spec: ExperimentSpec, catalogue: Catalogue) -> dict[str, Any]:
    """What the parts that `initialise` names begin with: `model`, their weights by name, and `sources`, by part.

    Frozen pretrained weights are not among them, as in a checkpoint; their files must be those of the run.

    Args:
        model: As built from the spec.
        spec: With the commits of its pretrained checkpoints.
        catalogue: Where the components of the other runs come from.

    Raises:
        AssemblyError: if the model has no such part, or its kind, a parameter or the label space is another.
        RunError: if a run is missing, under way or damaged, or its weights do not fit.
    """
    paths: Mapping[str, Path] = {} if spec.initialise is None else spec.initialise.model_dump(exclude_none=True)
    names = {part: _names(part, model, spec) for part in paths}
    runs = {path: _source(path, catalogue) for path in dict.fromkeys(paths.values())}
    weights: dict[str, Tensor] = {}
    for part, path in paths.items():
        _require_same_part(part, spec, runs[path], catalogue)
        weights |= _weights(part, model, runs[path], names=names[part])
    return {"model": weights, "sources": {part: runs[path].record for part, path in paths.items()}}


def put_initial(model: EmotionModel, state: Mapping[str, Any]) -> None:
    """Put what `initial_state` gave, or what a run kept of it, into a model as built from the same spec."""
    model.load_state_dict(state["model"], strict=False)


def kept_initial(folder: RunFolder, spec: ExperimentSpec) -> Mapping[str, Any]:
    """What `initial_state` gave when a run began, from its own folder.

    Raises:
        RunError: if the file is damaged or gone.
    """
    return NOTHING if spec.initialise is None else load_checkpoint(folder.initial_checkpoint)


def _source(path: Path, catalogue: Catalogue) -> _Source:
    folder = RunFolder.open(path)
    if folder.read_status().get("outcome") == "running":
        raise RunError(f"{path}: the run is under way, and its best checkpoint may still change. Wait for its end.")
    spec = read_spec(folder, catalogue)
    state = load_checkpoint(folder.best_checkpoint)
    return _Source(folder=folder, spec=spec, state=state, sha256=file_sha256(folder.best_checkpoint))


def _names(part: str, model: EmotionModel, spec: ExperimentSpec) -> frozenset[str]:
    """Names of the weights to take for a part; there are some, and no state that a cache keeps depends on them."""
    found = frozenset(name for name in model.state_dict() if name.startswith(PREFIXES[part]))
    names = found - frozen_names(model)
    if not names:
        entry = f"`{part}: {spec.kind(part)}`"
        absent = f"`fusion: {spec.kind('fusion')}` reads no {part}" if part in set(Modality) else f"{entry} has none"
        why = f"{entry} reads all of them from its pretrained checkpoint" if found else absent
        raise AssemblyError(f"`initialise.{part}` must be left out, since there are no weights to take: {why}.")
    encoder = model.encoder(Modality(part)) if part in set(Modality) else None
    if encoder is None or spec.cache is None or not model.has_states(Modality(part)):
        return names
    if random_weights(spec, Modality(part), encoder) is not None:
        raise AssemblyError(
            f"`initialise.{part}` must not go with `cache` here: frozen weights of `{part}: {spec.kind(part)}` come "
            "from no file, so the cache would keep the states of other weights. Set `cache: null`."
        )
    return names


def _require_same_part(part: str, spec: ExperimentSpec, source: _Source, catalogue: Catalogue) -> None:
    if part in set(Modality) and Modality(part) not in reads(source.spec, catalogue):
        raise AssemblyError(
            f"`initialise.{part}` must name a run that reads {part}, but {source.folder.path} has "
            f"`fusion: {source.spec.kind('fusion')}` instead."
        )
    here, there = getattr(spec, part).model_dump(mode="json"), getattr(source.spec, part).model_dump(mode="json")
    pairs = [(part, here, there)]
    if part == "head":
        pairs.append(("labels", list(spec.labels), list(source.spec.labels)))
    for name, found, wanted in (difference for pair in pairs for difference in _differences(*pair)):
        raise AssemblyError(
            f"`{name}` must be {_shown(wanted)}, as in the run {source.folder.path} that `initialise.{part}` names, "
            f"but is {_shown(found)} instead. Make them the same, or leave `initialise.{part}` out."
        )


def _differences(name: str, here: Any, there: Any) -> Iterator[tuple[str, Any, Any]]:
    """The fields, `kind` first, in which two entries differ so that weights mean something else."""
    if isinstance(here, Mapping) and isinstance(there, Mapping):
        fields = dict.fromkeys(["kind", *here, *there])
        for field in (field for field in fields if field not in MAY_DIFFER):
            yield from _differences(f"{name}.{field}", here.get(field), there.get(field))
    elif here != there and not all(isinstance(value, str) and is_folder(value) for value in (here, there)):
        yield name, here, there  # of two folders the files are compared


def _shown(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _weights(part: str, model: EmotionModel, source: _Source, *, names: frozenset[str]) -> dict[str, Tensor]:
    """The weights of a part in the other run, each of the shape that it has here."""
    prefix, path = PREFIXES[part], source.folder.best_checkpoint
    records = {name: record for name, record in pretrained_records(model).items() if f"{name}.".startswith(prefix)}
    require_same_files(records, source.state.get("pretrained", {}), path=path)
    found = {name: value for name, value in source.state["model"].items() if name.startswith(prefix)}
    if found.keys() != names:
        told = (("lack", names - found.keys()), ("hold also", found.keys() - names))
        what = " and ".join(f"{verb} {named(sorted(those))}" for verb, those in told if those)
        raise RunError(f"{path}: the checkpoint does not fit `initialise.{part}`: its weights {what}.")
    here = model.state_dict()
    for name, value in found.items():
        if value.shape != here[name].shape:
            raise RunError(
                f"{path}: the checkpoint does not fit `initialise.{part}`: `{name}` must have shape "
                f"{tuple(here[name].shape)}, but has {tuple(value.shape)} instead, since what `{part}` reads has "
                "another width there."
            )
    return found
