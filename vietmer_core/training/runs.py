"""Starting, continuing and finding runs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vietmer_core.assembly import build_trackers
from vietmer_core.augment.fingerprint import noise_fingerprint
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.plugins import installed_plugins
from vietmer_core.ranks import alike
from vietmer_core.records import FinishRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.training import resuming
from vietmer_core.training.auto_batch import with_micro_batch
from vietmer_core.training.checkpoint import save_checkpoint
from vietmer_core.training.continuing import changed_versions, opened_run, put_back
from vietmer_core.training.experiment import Experiment, prepare
from vietmer_core.training.history import Position
from vietmer_core.training.initial import kept_initial
from vietmer_core.training.loop import TrainingLoop
from vietmer_core.training.observers import MetricsFile, StatusFile, observing, tell
from vietmer_core.training.processes import Processes
from vietmer_core.training.provenance import provenance
from vietmer_core.training.run_folder import RunFolder
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


def start_run(  # noqa: PLR0913  # each is an option of the command, or for who makes or repeats runs
    spec: ExperimentSpec,
    *,
    root: Path,
    at: Path | None = None,
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
        at: The run folder itself, which must not be there yet; by default one named by the spec and the time.
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
            made = RunFolder.create(root, spec.name) if at is None else RunFolder.create_at(at)
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
    opened = alike(lambda: opened_run(path, overrides, catalogue=catalogue, cache=cache, spec=spec))
    folder, checkpoint = opened.folder, opened.checkpoint
    with Processes.joined(opened.spec.training) as processes:
        watching = _observers(opened.spec, catalogue, observers, processes=processes)
        initial = kept_initial(folder, opened.spec)
        experiment = _prepared(opened.spec, catalogue, watching, processes=processes, initial=initial, say=say)
        record = _provenance(experiment, processes=processes)
        changed = alike(lambda: changed_versions(opened, record, accept_versions=accept_versions))
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
            lambda: put_back(opened, experiment, processes=processes, new_versions=changed, data=record["data"])
        )
        return folder, loop.run([*watching, *_own_observers(folder, processes=processes)])
