"""Starting, continuing and finding runs."""

from collections.abc import Sequence
from pathlib import Path

from vietmer_core.assembly import build_trackers
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.errors import RunError, SpecError
from vietmer_core.features.filling import with_cache
from vietmer_core.plugins import installed_plugins
from vietmer_core.records import FinishRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.experiment import Experiment, prepare
from vietmer_core.training.loop import TrainingLoop
from vietmer_core.training.observers import MetricsFile, StatusFile, observing, tell
from vietmer_core.training.provenance import provenance
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.weights import pretrained_json


def _fingerprints(experiment: Experiment) -> dict[str, str]:
    content = experiment.spec.data.fingerprint == "content"
    splits = {"train": experiment.train, "valid": experiment.valid}
    return {name: split_fingerprint(manifest, content=content) for name, manifest in splits.items()}


def _own_observers(folder: RunFolder) -> list[object]:
    return [MetricsFile(folder.metrics_path), StatusFile(folder.path)]


def _prepared(spec: ExperimentSpec, catalogue: Catalogue | None, observers: Sequence[object]) -> Experiment:
    manager = installed_plugins().manager
    with observing(manager, list(observers)):
        return prepare(
            spec,
            catalogue or installed_catalogue(),
            report=lambda record: tell(manager, "fill_cache", progress=record),
        )


def start_run(
    spec: ExperimentSpec, *, root: Path, observers: Sequence[object] = (), catalogue: Catalogue | None = None
) -> tuple[RunFolder, FinishRecord]:
    """Train a spec in a new folder under `root`.

    Raises:
        VietmerError: one sentence; nothing is made where the spec or the data cannot be used.
    """
    observers = [*build_trackers(spec, catalogue or installed_catalogue()), *observers]
    experiment = _prepared(spec, catalogue, observers)
    fingerprints = _fingerprints(experiment)
    folder = RunFolder.create(root, spec.name)
    folder.write_spec(experiment.spec.resolved())
    record = provenance(
        experiment.spec,
        experiment.catalogue,
        device=experiment.device,
        fingerprints=fingerprints,
        pretrained=pretrained_json(experiment.model),
    )
    folder.write_json("provenance.json", record)
    loop = TrainingLoop(experiment, folder=folder, manager=installed_plugins().manager)
    return folder, loop.run([*_own_observers(folder), *observers])


def resume_run(
    path: Path,
    *,
    observers: Sequence[object] = (),
    catalogue: Catalogue | None = None,
    cache: str | None = None,
) -> tuple[RunFolder, FinishRecord]:
    """Continue a run from its last checkpoint, in the middle of an epoch where it stood there.

    Args:
        path: Its folder.
        observers: Told of its steps.
        catalogue: Where its components come from.
        cache: Another folder for the feature cache, or `none`; in fp32 and at canonical shapes that changes no bit.

    Raises:
        RunError: if it has no checkpoint, or its data has changed since it began.
    """
    folder = RunFolder.open(path)
    status = folder.read_status()
    if status.get("outcome") == "running":
        where = f"process {status.get('process')} on {status.get('host')}"
        raise RunError(f"{path}: the run is under way in {where}. If it is not, set `outcome` in its `status.json`.")
    state = load_checkpoint(folder.last_checkpoint)
    spec = with_cache(read_spec(folder, catalogue), cache)
    observers = [*build_trackers(spec, catalogue or installed_catalogue()), *observers]
    experiment = _prepared(spec, catalogue, observers)
    began_with = folder.read_json("provenance.json").get("data", {})
    changed = [name for name, found in _fingerprints(experiment).items() if began_with.get(name) not in (None, found)]
    if changed:
        raise RunError(
            f"{path}: the data of {' and '.join(changed)} has changed since the run began, so it cannot be continued. "
            "Restore the data, or train anew."
        )
    folder.keep_records_to(int(state["progress"]["step"]))
    loop = TrainingLoop(experiment, folder=folder, manager=installed_plugins().manager, state=state)
    return folder, loop.run([*_own_observers(folder), *observers])


def read_spec(folder: RunFolder, catalogue: Catalogue | None = None) -> ExperimentSpec:
    """The resolved spec of a run.

    Raises:
        RunError: if it cannot be used here, for example because a plugin is missing.
    """
    try:
        return load_spec([folder.spec_path], catalogue=catalogue)
    except SpecError as error:
        raise RunError(f"{folder.path}: the run's spec cannot be used here: {error}") from None
