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
from vietmer_core.training.best_files import settle_best
from vietmer_core.training.checkpoint import load_checkpoint, save_checkpoint
from vietmer_core.training.experiment import Experiment, prepare
from vietmer_core.training.history import Position, note_resumption
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
    return processes.together(lambda: [*build_trackers(spec, catalogue), *given] if processes.is_main else [])


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
    stop_at: Position | None = None,
    initial: Mapping[str, Any] | None = None,
    expected: Mapping[str, str] | None = None,
    say: Say = _silent,
) -> tuple[RunFolder, FinishRecord]:
    """Train a spec in a new folder under `root`, together with the other processes where there are any.

    Args:
        spec: What to train.
        root: Where run folders live.
        observers: Told of its steps.
        catalogue: Where its components come from.
        stop_at: An epoch, from 0, and how many of its steps are done, at which to stop as Ctrl-C would.
        initial: What parts of the model begin with; read from the runs of `initialise` where None.
        expected: Fingerprints that the data must have.
        say: Takes a line for the user.

    Raises:
        VietmerError: one sentence; nothing is made where the spec or the data cannot be used.
    """
    catalogue = catalogue or installed_catalogue()
    with Processes.joined(spec.training) as processes:
        watching = _observers(spec, catalogue, observers, processes=processes)
        experiment = _prepared(spec, catalogue, watching, processes=processes, initial=initial, say=say)
        record = _provenance(experiment, processes=processes)
        if expected is not None:
            alike(lambda: resuming.check_data(expected, record["data"], folder=RunFolder(root)))

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


def resume_run(  # noqa: PLR0913  # each is an option of the command, or for who repeats a run
    path: Path,
    *,
    overrides: Sequence[str] = (),
    observers: Sequence[object] = (),
    catalogue: Catalogue | None = None,
    cache: str | None = None,
    accept_versions: bool = False,
    spec: ExperimentSpec | None = None,
    stop_at: Position | None = None,
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
        spec: What to go on with, instead of overrides of its own spec.
        stop_at: An epoch, from 0, and how many of its steps are done, at which to stop as Ctrl-C would.
        say: Takes a line for the user, such as the effect of an override.

    Raises:
        RunError: if its spec, data or versions have changed since it began, or it is under way.
    """
    catalogue = catalogue or installed_catalogue()
    opened = alike(lambda: _opened(path, overrides, catalogue=catalogue, cache=cache, spec=spec))
    folder, checkpoint = opened.folder, opened.checkpoint
    with Processes.joined(opened.spec.training) as processes:
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
        processes.together(
            lambda: _put_back(opened, experiment, processes=processes, new_versions=changed, data=record["data"])
        )
        return folder, loop.run([*watching, *_own_observers(folder, processes=processes)])


@attrs.frozen(kw_only=True, eq=False)
class _Opened:
    """A run that is to go on: its folder, its last checkpoint, its own spec, and that with which it goes on."""

    folder: RunFolder
    checkpoint: dict[str, Any] | None
    own: ExperimentSpec
    spec: ExperimentSpec


def _put_back(
    opened: _Opened,
    experiment: Experiment,
    *,
    processes: Processes,
    new_versions: Mapping[str, str] | None,
    data: Mapping[str, str],
) -> None:
    """Bring the folder of a run to where it goes on, and note that it does.

    Raises:
        RunError: if a file cannot be read or written.
    """
    if not processes.is_main:
        return
    folder, batches, own, after = opened.folder, experiment.batches, opened.own.resolved(), experiment.spec.resolved()
    progress: dict[str, Any] = {"step": 0, "best_epoch": None}
    progress = progress if opened.checkpoint is None else opened.checkpoint["progress"]
    folder.remove_unfinished()
    folder.keep_records_to(int(progress["step"]), epoch=batches.epoch)
    settle_best(folder, best_epoch=progress["best_epoch"])
    note_resumption(
        folder,
        step=int(progress["step"]),
        position=(batches.epoch, batches.consumed),
        processes=processes.world_size,
        changes=resuming.differences(own, after),
        specs=(own, after),
        new_versions=new_versions,
        data=data,
    )
    folder.write_spec(after)


def _opened(
    path: Path, overrides: Sequence[str], *, catalogue: Catalogue, cache: str | None, spec: ExperimentSpec | None
) -> _Opened:
    """Read a run and what it goes on with.

    Raises:
        RunError: if it is under way, its spec was edited, or an override would make another experiment of it.
    """
    folder = RunFolder.open(path)
    _require_ended(folder)
    checkpoint = load_checkpoint(folder.last_checkpoint) if folder.last_checkpoint.exists() else None
    own = read_spec(folder, catalogue)
    if checkpoint is not None:
        resuming.check_checkpoint(checkpoint, folder=folder)
        resuming.check_unchanged(checkpoint["spec"], own.resolved(), folder=folder)
    wanted = spec or with_cache(load_spec([folder.spec_path], overrides, catalogue=catalogue), cache)
    resuming.check_overrides(resuming.differences(own.resolved(), wanted.resolved()), folder=folder)
    return _Opened(folder=folder, checkpoint=checkpoint, own=own, spec=wanted)


def _changed(opened: _Opened, record: Mapping[str, Any], *, accept_versions: bool) -> dict[str, str] | None:
    """The versions with which a run goes on, where they are others than its own.

    Raises:
        RunError: if its data has changed, or its versions have and that is not accepted.
    """
    began = opened.folder.read_json(resuming.PROVENANCE_FILE)
    is_same_noise = opened.own.augment == opened.spec.augment
    data = {name: value for name, value in record["data"].items() if is_same_noise or name != "noise"}
    resuming.check_data(began.get("data", {}), data, folder=opened.folder)
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
