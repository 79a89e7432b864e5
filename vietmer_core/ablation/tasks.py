"""What jobs do: train and score a cell, compute the features that cells share."""

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from vietmer_core.ablation.code_version import code_version
from vietmer_core.ablation.identity import with_places
from vietmer_core.ablation.job_folder import JobFolder
from vietmer_core.assembly import build_frontends, build_model
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.splits import open_split
from vietmer_core.errors import OutdatedError
from vietmer_core.features.filling import open_feature_cache
from vietmer_core.inference.evaluating import evaluate_run
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.records import CacheRecord, FinishRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_document import SpecDocument
from vietmer_core.spec_loading import validate_document
from vietmer_core.training.devices import choose_device, with_threads
from vietmer_core.training.run_folder import STATUS_FILE, RunFolder, is_run
from vietmer_core.training.run_spec import read_spec
from vietmer_core.training.runs import resume_run, start_run

ENDED: Final = ("finished", "stopped_early")


def spec_of(job: JobFolder, document: Mapping[str, Any], catalogue: Catalogue) -> ExperimentSpec:
    """The spec of a job, validated here."""
    read = SpecDocument(values=document["spec"], places={}, files=(str(job.path),))
    return validate_document(read, catalogue=catalogue)


def run_cell(job: JobFolder, document: Mapping[str, Any]) -> dict[str, Any]:
    """Train a cell, or go on with it, and score it.

    Raises:
        KeyboardInterrupt: if it was told to stop; its run is saved.
        OutdatedError: if its code or its data are not those of its id.
        VietmerError: if it cannot be trained or scored.
    """
    catalogue = installed_catalogue()
    spec = spec_of(job, document, catalogue)
    _require_same_code(spec, document, catalogue)
    began = time.perf_counter()
    folder = _trained(job, spec, document["data"], catalogue)
    trained_at = time.perf_counter()
    run = TrainedRun.load(folder.path, catalogue=catalogue)
    split = str(document["split"])
    _require_same_data(run.spec, split, document["data"], catalogue)
    evaluation = evaluate_run(run, split, audit=document["audit"])
    status = folder.read_json(STATUS_FILE)
    return {
        "split": split,
        "scores": evaluation.scores.summary,
        "num_utterances": len(evaluation.predictions.indices),
        "protocol": evaluation.protocol,
        "audit": evaluation.audit.get("verdict"),
        "best_epoch": status.get("best_epoch"),
        "valid": status.get("best", {}),
        "seconds": {
            "train": round(trained_at - began, 3),
            "evaluate": round(time.perf_counter() - trained_at, 3),
        },
    }


def _require_same_code(spec: ExperimentSpec, document: Mapping[str, Any], catalogue: Catalogue) -> None:
    """Refuse to compute with other code than the id of the cell says.

    Raises:
        OutdatedError: naming what is another.
    """
    wanted, found = document["identity"]["code"], code_version(spec, catalogue)
    changed = [
        name
        for part, versions in wanted.items()
        for name in dict.fromkeys([*versions, *found[part]])
        if versions.get(name) != found[part].get(name)
    ]
    if changed:
        raise OutdatedError(
            f"the version or the sources of {', '.join(changed)} are others here than where the command was started, "
            "so that this would be another cell. Install the same everywhere and give `--retry`, or start the command "
            "again with what is here now."
        )


def _require_same_data(spec: ExperimentSpec, split: str, data: Mapping[str, str], catalogue: Catalogue) -> None:
    """Refuse to score on other data than the id of the cell says; the other splits were looked at in training.

    Raises:
        OutdatedError: if it has changed.
    """
    found = split_fingerprint(open_split(spec, split, catalogue), content=spec.data.fingerprint == "content")
    if found != data[split]:
        raise OutdatedError(
            f"the data of {split} has changed since the command was started ({data[split][:12]}… → {found[:12]}…), so "
            "that this would be another cell. Restore the data and give `--retry`, or start the command again."
        )


def _trained(job: JobFolder, spec: ExperimentSpec, data: Mapping[str, str], catalogue: Catalogue) -> RunFolder:
    path = job.run_path
    if not is_run(path) or not _finds_its_files(RunFolder(path), spec, catalogue):
        shutil.rmtree(path, ignore_errors=True)  # where it is no run, a kill came before its first files were whole
        folder, finish = start_run(spec, root=job.path, at=path, catalogue=catalogue, expected=data, say=_say)
        return _ended(folder, finish)
    folder = RunFolder(path)
    status = folder.read_json(STATUS_FILE)
    if status.get("outcome") in ENDED:
        return folder
    if status.get("outcome") == "running":  # whoever ran it is gone: the claim of the cell is ours
        folder.write_json(STATUS_FILE, {**status, "outcome": "killed"})
    return _ended(*resume_run(path, catalogue=catalogue, say=_say))


def _finds_its_files(folder: RunFolder, spec: ExperimentSpec, catalogue: Catalogue) -> bool:
    """Whether a run can go on: the matrix may have been moved since, with its data.

    A run that has ended, and one of which the cache alone is elsewhere, is told the new places. Any other would have
    another spec than its checkpoint, and begins anew.
    """
    own = read_spec(folder, catalogue).resolved()
    moved = with_places(own, spec.resolved())
    if moved == own:
        return True
    has_ended = folder.read_json(STATUS_FILE).get("outcome") in ENDED
    if not has_ended and {**moved, "cache": None} != {**own, "cache": None}:
        _say("the files that the run has read are elsewhere now: it begins anew")
        return False
    folder.write_spec(moved)
    return True


def _ended(folder: RunFolder, finish: FinishRecord) -> RunFolder:
    if finish.outcome not in ENDED:
        raise KeyboardInterrupt
    return folder


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def fill_caches(job: JobFolder, document: Mapping[str, Any]) -> dict[str, Any]:
    """Compute the states of the frozen encoders of a cell, for every split that it reads: other cells share them.

    Raises:
        VietmerError: if they cannot be computed.
    """
    catalogue = installed_catalogue()
    spec = with_threads(spec_of(job, document, catalogue))
    began = time.perf_counter()
    frontends, device = build_frontends(spec, catalogue), choose_device(spec.training.device)
    model = build_model(spec, catalogue).to(device)
    counted: dict[tuple[str, str], CacheRecord] = {}
    cache = open_feature_cache(spec, catalogue, model, frontends, device=device, report=_counter(counted))
    if cache is not None:
        for split in document["splits"]:
            cache.states_of(open_split(spec, split, catalogue), split)
    return {
        "computed": sum(record.num_done for record in counted.values()),
        "kept": sum(record.num_kept for record in counted.values()),
        "folders": sorted({str(record.folder) for record in counted.values()}),
        "seconds": {"prepare": round(time.perf_counter() - began, 3)},
    }


def _counter(counted: dict[tuple[str, str], CacheRecord]) -> Callable[[CacheRecord], None]:
    def note(record: CacheRecord) -> None:
        counted[record.encoder, record.split] = record

    return note
