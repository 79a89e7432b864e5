"""Starting, continuing and finding runs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from vietmer_core.assembly import build_trackers
from vietmer_core.augment.fingerprint import noise_fingerprint
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.errors import RunError
from vietmer_core.features.filling import with_cache
from vietmer_core.plugins import installed_plugins
from vietmer_core.ranks import alike
from vietmer_core.records import FinishRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training import resuming
from vietmer_core.training.auto_batch import with_micro_batch
from vietmer_core.training.checkpoint import load_checkpoint, save_checkpoint
from vietmer_core.training.experiment import Experiment, prepare
from vietmer_core.training.initial import kept_initial
from vietmer_core.training.loop import TrainingLoop
from vietmer_core.training.observers import MetricsFile, StatusFile, observing, tell
from vietmer_core.training.processes import Processes
from vietmer_core.training.provenance import provenance
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import read_spec
from vietmer_core.training.weights import pretrained_json

Say = Callable[[str], None]


def _silent(line: str) -> None:
    del line


def _fingerprints(experiment: Experiment) -> dict[str, str]:
    content = experiment.spec.data.fingerprint == "content"
    splits = {"train": experiment.train, "valid": experiment.valid}
    noise = noise_fingerprint(experiment.augmentation, content=content)
    found = {name: split_fingerprint(manifest, content=content) for name, manifest in splits.items()}
    return found if noise is None else {**found, "noise": noise}


def _prepared(
    spec: ExperimentSpec,
    catalogue: Catalogue,
    observers: Sequence[object],
    *,
    processes: Processes,
    initial: Mapping[str, Any] | None,
    say: Say,
) -> Experiment:
    manager = installed_plugins().manager
    with observing(manager, list(observers)):
        experiment = processes.together(
            lambda: prepare(
                spec,
                catalogue,
                processes=processes,
                report=lambda record: tell(manager, "fill_cache", progress=record) if processes.is_main else None,
                initial=initial,
            )
        )
    return with_micro_batch(experiment, processes, say=say)


def _observers(
    spec: ExperimentSpec, catalogue: Catalogue, given: Sequence[object], *, processes: Processes
) -> list[object]:
    """Those that watch the run: the main process tells them."""
    return [*build_trackers(spec, catalogue), *given] if processes.is_main else []


def _own_observers(folder: RunFolder, *, processes: Processes) -> list[object]:
    return [MetricsFile(folder.metrics_path), StatusFile(folder.path)] if processes.is_main else []


def _provenance(experiment: Experiment, *, processes: Processes) -> dict[str, Any]:
    return provenance(
        experiment.spec,
        experiment.catalogue,
        device=experiment.device,
        fingerprints=_fingerprints(experiment),
        pretrained=pretrained_json(experiment.model),
        initial=experiment.initial["sources"],
        world_size=processes.world_size,
    )


def _facts(experiment: Experiment, record: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of the run it belongs to."""
    return {
        "spec": experiment.spec.resolved(),
        "versions": resuming.versions(record),
    }


def start_run(
    spec: ExperimentSpec,
    *,
    root: Path,
    observers: Sequence[object] = (),
    catalogue: Catalogue | None = None,
    stop_at: int | None = None,
    initial: Mapping[str, Any] | None = None,
    say: Say = _silent,
) -> tuple[RunFolder, FinishRecord]:
    """Train a spec in a new folder under `root`, together with the other processes where there are any.

    Args:
        spec: What to train.
        root: Where run folders live.
        observers: Told of its steps.
        catalogue: Where its components come from.
        stop_at: A step after which to stop, as Ctrl-C would.
        initial: What parts of the model begin with; read from the runs of `initialise` where None.
        say: Takes a line for the user.

    Raises:
        VietmerError: one sentence; nothing is made where the spec or the data cannot be used.
    """
    catalogue = catalogue or installed_catalogue()
    processes = Processes.start(spec.training)
    try:
        watching = _observers(spec, catalogue, observers, processes=processes)
        experiment = _prepared(spec, catalogue, watching, processes=processes, initial=initial, say=say)
        record = _provenance(experiment, processes=processes)

        def create() -> Path | None:
            if not processes.is_main:
                return None
            made = RunFolder.create(root, spec.name)
            if experiment.initial["model"]:
                save_checkpoint(made.initial_checkpoint, state=dict(experiment.initial))
            made.write_spec(experiment.spec.resolved())
            made.write_json(resuming.PROVENANCE_FILE, record)
            return made.path

        folder = RunFolder(Path(str(processes.from_main(processes.together(create)))))
        loop = TrainingLoop(
            experiment,
            processes=processes,
            folder=folder,
            manager=installed_plugins().manager,
            facts=_facts(experiment, record),
            stop_at=stop_at,
        )
        return folder, loop.run([*watching, *_own_observers(folder, processes=processes)])
    finally:
        processes.close()


def resume_run(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    observers: Sequence[object] = (),
    catalogue: Catalogue | None = None,
    cache: str | None = None,
    accept_versions: bool = False,
    stop_at: int | None = None,
    say: Say = _silent,
) -> tuple[RunFolder, FinishRecord]:
    """Continue a run from its last checkpoint, in the middle of an epoch where it stood there.

    A run that was killed before its first checkpoint begins anew in its folder.

    Args:
        path: Its folder.
        overrides: `FIELD=VALUE`, laid over its spec: what `resuming.MAY_CHANGE` names.
        observers: Told of its steps.
        catalogue: Where its components come from.
        cache: Another folder for the feature cache, or `none`; in fp32 and at canonical shapes that changes no bit.
        accept_versions: Go on with other versions of what computes, too.
        stop_at: A step after which to stop, as Ctrl-C would.
        say: Takes a line for the user, such as the effect of an override.

    Raises:
        RunError: if its spec, data or versions have changed since it began, or it is under way.
    """
    catalogue = catalogue or installed_catalogue()
    opened = alike(lambda: _opened(path, overrides, catalogue=catalogue, cache=cache))
    folder, checkpoint = opened.folder, opened.checkpoint
    processes = Processes.start(opened.spec.training)
    try:
        watching = _observers(opened.spec, catalogue, observers, processes=processes)
        initial = kept_initial(folder, opened.spec)
        experiment = _prepared(opened.spec, catalogue, watching, processes=processes, initial=initial, say=say)
        record = _provenance(experiment, processes=processes)
        changed = alike(lambda: _changed(opened, record, accept_versions=accept_versions))
        changes = resuming.differences(opened.own.resolved(), experiment.spec.resolved())
        loop = alike(
            lambda: TrainingLoop(
                experiment,
                processes=processes,
                folder=folder,
                manager=installed_plugins().manager,
                facts=_facts(experiment, record),
                checkpoint=checkpoint,
                stop_at=stop_at,
            )
        )
        for line in [*resuming.described(changes), *loop.effects(checkpoint)]:
            say(line)
        if processes.is_main:
            step = 0 if checkpoint is None else int(checkpoint["progress"]["step"])
            folder.remove_unfinished()
            folder.keep_records_to(step, epoch=experiment.batches.epoch)
            resuming.note_resumption(folder, step=step, changes=changes, new_versions=changed)
            folder.write_spec(experiment.spec.resolved())
        return folder, loop.run([*watching, *_own_observers(folder, processes=processes)])
    finally:
        processes.close()


@attrs.frozen(kw_only=True, eq=False)
class _Opened:
    """A run that is to go on: its folder, its last checkpoint, its own spec, and that with which it goes on."""

    folder: RunFolder
    checkpoint: dict[str, Any] | None
    own: ExperimentSpec
    spec: ExperimentSpec


def _opened(path: Path, overrides: Sequence[str], *, catalogue: Catalogue, cache: str | None) -> _Opened:
    """Read a run and what it goes on with.

    Raises:
        RunError: if it is under way, its spec was edited, or an override would make another experiment of it.
    """
    folder = RunFolder.open(path)
    _require_ended(folder)
    checkpoint = load_checkpoint(folder.last_checkpoint) if folder.last_checkpoint.exists() else None
    own = read_spec(folder, catalogue)
    if checkpoint is not None:
        resuming.check_unchanged(checkpoint["spec"], own.resolved(), folder=folder)
    spec = with_cache(load_spec([folder.spec_path], overrides, catalogue=catalogue), cache)
    resuming.check_overrides(resuming.differences(own.resolved(), spec.resolved()), folder=folder)
    return _Opened(folder=folder, checkpoint=checkpoint, own=own, spec=spec)


def _changed(opened: _Opened, record: Mapping[str, Any], *, accept_versions: bool) -> dict[str, str] | None:
    """The versions with which a run goes on, where they are others than its own.

    Raises:
        RunError: if its data has changed, or its versions have and that is not accepted.
    """
    began = opened.folder.read_json(resuming.PROVENANCE_FILE)
    resuming.check_data(began.get("data", {}), record["data"], folder=opened.folder)
    recorded = resuming.versions(began) if opened.checkpoint is None else opened.checkpoint["versions"]
    found = resuming.versions(record)
    if not accept_versions:
        resuming.check_versions(recorded, found, folder=opened.folder)
    return found if found != recorded else None


def _require_ended(folder: RunFolder) -> None:
    status = folder.read_status()
    if status.get("outcome") == "running":
        where = f"process {status.get('process')} on {status.get('host')}"
        raise RunError(
            f"{folder.path}: the run is under way in {where}. If it is not, set `outcome` in its `status.json`."
        )
