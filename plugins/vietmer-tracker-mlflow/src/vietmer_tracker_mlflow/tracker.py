"""The MLflow tracker: one MLflow run for each run folder, equal to `metrics.jsonl`."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from vietmer_core.hooks import hookimpl
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord
from vietmer_core.tracking import epoch_scalars, flat_spec, kept_records, step_scalars
from vietmer_core.training.run_folder import RUN_FILES, RunFolder
from vietmer_tracker_mlflow.store import experiment_id, forget_after, in_words, last_logged, open_store

RUN_FILE: Final = "mlflow.json"
"""In the run folder: which MLflow run is its own."""
STATUS: Final = {"finished": "FINISHED", "stopped_early": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
LONGEST_VALUE: Final = 6000
"""Characters that MLflow keeps of a parameter or a tag."""
LARGEST_BATCH: Final = 100
"""Parameters that MLflow takes at once."""
PENDING_METRICS: Final = 600
PENDING_SECONDS: Final = 5.0
"""Metrics wait for as many others, or as long: a transaction costs about as much as a thousand metrics."""
_NO_SUCH_RUN: Final = "RESOURCE_DOES_NOT_EXIST"


@final
class MLflowTracker:
    """Logs scalars of every step and epoch, and the spec as parameters; an observer.

    All stand at steps since the start of the run. Where a run continues, so does its MLflow run: what was logged of the
    steps that will be taken again is deleted, and what a kill kept out of the store is logged from the run folder.

    Args:
        store: SQLite file, relative to the folder that holds the run folder.
        experiment: Name of the MLflow experiment.
    """

    def __init__(self, *, store: str, experiment: str) -> None:
        self._name, self._experiment = store, experiment
        self._store = Path()
        self._client: MlflowClient | None = None
        self._run_id = ""
        self._pending: list[Metric] = []
        self._logged = 0.0

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        """Open the store, and begin or continue the MLflow run."""
        self._store = Path(os.path.abspath(run.folder.parent / self._name))  # noqa: PTH100  # links stay as they are
        self._client = open_store(self._store)
        folder = RunFolder(run.folder)
        is_new = not self._continue(str(folder.read_json(RUN_FILE).get("run_id", "")))
        if is_new:
            self._begin(run)
            folder.write_json(RUN_FILE, {"run_id": self._run_id, "store": self._name, "experiment": self._experiment})
        self._log_spec(run)
        after = 0 if is_new else max(0, min(last_logged(self._store, self._run_id, "step/loss"), run.first_step - 1))
        if not is_new:
            forget_after(self._store, self._run_id, after)
        for record in kept_records(run, after=after):
            self._add(step_scalars(record) if isinstance(record, StepRecord) else epoch_scalars(record), record.step)
        self._flush()

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """Six metrics, in the next batch."""
        self._add(step_scalars(step), step.step)

    @hookimpl
    def end_epoch(self, epoch: EpochRecord) -> None:
        """The loss of training and every validation metric, at once."""
        self._add(epoch_scalars(epoch), epoch.step)
        self._flush()

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        """Log what is left, and how the run ended."""
        if not self._run_id:
            return
        if finish.best_value is not None:
            self._add({"best/value": finish.best_value, "best/epoch": float(finish.best_epoch or 0)}, finish.step)
        self._flush()
        with in_words(self._store):
            if finish.message:
                self._open().set_tag(self._run_id, "message", finish.message[:LONGEST_VALUE])
            self._open().set_tag(self._run_id, "outcome", finish.outcome)
            self._open().set_terminated(self._run_id, STATUS[finish.outcome])
        self._run_id = ""

    def _open(self) -> MlflowClient:
        assert self._client is not None, "a run starts before its steps"
        return self._client

    def _begin(self, run: RunRecord) -> None:
        tags: dict[str, Any] = {
            "mlflow.source.name": "vietmer train",
            "mlflow.source.type": "LOCAL",
            "run_folder": str(run.folder),
        }
        found = experiment_id(self._open(), self._experiment, store=self._store)
        with in_words(self._store):
            self._run_id = self._open().create_run(found, run_name=run.folder.name, tags=tags).info.run_id

    def _continue(self, run_id: str) -> bool:
        """Whether that run is in the store; it is under way then."""
        with in_words(self._store):
            try:
                found = self._open().get_run(run_id) if run_id else None
            except MlflowException as error:
                if error.error_code != _NO_SUCH_RUN:
                    raise
                return False
            if found is None or found.info.lifecycle_stage != "active":
                return False
            self._open().update_run(run_id, status="RUNNING")
        self._run_id = run_id
        return True

    def _log_spec(self, run: RunRecord) -> None:
        """The spec as parameters, which MLflow never changes: what a run that continues changed stands in tags."""
        values = {name: _text(value) for name, value in flat_spec(run.spec).items()}
        with in_words(self._store):
            logged = self._open().get_run(self._run_id).data.params
            new = [Param(name, value) for name, value in values.items() if name not in logged]
            changed = {name: value for name, value in values.items() if logged.get(name, value) != value}
            for start in range(0, len(new), LARGEST_BATCH):
                self._open().log_batch(self._run_id, params=new[start : start + LARGEST_BATCH])
            tags = [RunTag(f"from step {run.first_step}: {name}", value) for name, value in changed.items()]
            self._open().log_batch(self._run_id, tags=tags[:LARGEST_BATCH])
            for name in RUN_FILES:
                if (run.folder / name).is_file():
                    self._open().log_artifact(self._run_id, str(run.folder / name))

    def _add(self, scalars: Mapping[str, float], step: int) -> None:
        now = time.time_ns() // 1_000_000
        self._pending += [Metric(name, value, now, step) for name, value in scalars.items()]
        if len(self._pending) >= PENDING_METRICS or time.monotonic() - self._logged > PENDING_SECONDS:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            with in_words(self._store):
                self._open().log_batch(self._run_id, metrics=self._pending)
        self._pending = []
        self._logged = time.monotonic()


def _text(value: object) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:LONGEST_VALUE]
