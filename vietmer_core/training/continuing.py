"""What a run that is continued is checked for, and how its folder is brought to where it goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from vietmer_core.catalogue import Catalogue
from vietmer_core.errors import RunError
from vietmer_core.features.filling import with_cache
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training import resuming
from vietmer_core.training.best_files import settle_best
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.experiment import Experiment
from vietmer_core.training.history import note_resumption
from vietmer_core.training.processes import Processes
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import read_spec


@attrs.frozen(kw_only=True, eq=False)
class OpenedRun:
    """A run that is to go on: its folder, its last checkpoint, its own spec, and that with which it goes on."""

    folder: RunFolder
    checkpoint: dict[str, Any] | None
    own: ExperimentSpec
    spec: ExperimentSpec


def put_back(
    opened: OpenedRun,
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


def opened_run(
    path: Path, overrides: Sequence[str], *, catalogue: Catalogue, cache: str | None, spec: ExperimentSpec | None
) -> OpenedRun:
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
    return OpenedRun(folder=folder, checkpoint=checkpoint, own=own, spec=wanted)


def changed_versions(opened: OpenedRun, record: Mapping[str, Any], *, accept_versions: bool) -> dict[str, str] | None:
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
