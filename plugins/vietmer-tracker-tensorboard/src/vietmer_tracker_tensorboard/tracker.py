"""The TensorBoard tracker: event files in `tensorboard/` of the run folder, equal to `metrics.jsonl`."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

import yaml
from torch.utils.tensorboard import summary

from vietmer_core.errors import RunError
from vietmer_core.files import write_atomically
from vietmer_core.hooks import hookimpl
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord
from vietmer_core.tracking import epoch_scalars, flat_spec, kept_records, step_scalars
from vietmer_tracker_tensorboard.events import EventFile

FOLDER: Final = "tensorboard"
WRITTEN_FILE: Final = "written.json"
"""Holds the last step up to which every event has reached its file."""


@final
class TensorBoardTracker:
    """Writes scalars of every step and epoch, and the spec as text and as hyperparameters; an observer.

    All stand at steps since the start of the run. Where a run continues, the steps that will be taken again are purged,
    and those that a kill kept out of the files are written from the run folder.

    Args:
        flush_seconds: Seconds after which events are written to their file.
    """

    def __init__(self, *, flush_seconds: float) -> None:
        self._flush_seconds = flush_seconds
        self._folder = Path()
        self._events: EventFile | None = None
        self._flushed = 0.0

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        """Open a file; where the run continues, after the last step that counts and is written."""
        self._folder = run.folder / FOLDER
        after = max(0, min(self._read_written(), run.first_step - 1))
        with self._in_words():
            is_first = not any(self._folder.glob("events.*"))
            self._events = EventFile(self._folder, purge_step=None if is_first else after + 1)
            for made in _summaries(run):
                self._events.add_summary(made, step=run.first_step)
        for record in kept_records(run, after=after):
            self._write(step_scalars(record) if isinstance(record, StepRecord) else epoch_scalars(record), record.step)
        self._flush(run.first_step)

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """One event."""
        self._write(step_scalars(step), step.step)
        if time.monotonic() - self._flushed > self._flush_seconds:
            self._flush(step.step)

    @hookimpl
    def end_epoch(self, epoch: EpochRecord) -> None:
        """The loss of training and every validation metric."""
        self._write(epoch_scalars(epoch), epoch.step)
        self._flush(epoch.step)

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        """Write what is left, and close the file."""
        if self._events is None:
            return
        self._flush(finish.step)
        with self._in_words():
            self._events.close()
        self._events = None

    def _write(self, scalars: Mapping[str, float], step: int) -> None:
        with self._in_words():
            self._open().add_scalars(scalars, step=step)

    def _open(self) -> EventFile:
        assert self._events is not None, "a run starts before its steps"
        return self._events

    def _flush(self, step: int) -> None:
        with self._in_words():
            self._open().flush()
        write_atomically(self._folder / WRITTEN_FILE, json.dumps({"step": step}).encode())
        self._flushed = time.monotonic()

    def _read_written(self) -> int:
        try:
            return int(json.loads((self._folder / WRITTEN_FILE).read_text(encoding="utf-8"))["step"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0  # then all is written again from the run folder

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"{self._folder}: TensorBoard's events cannot be written: {reason}.") from None


def _summaries(run: RunRecord) -> list[Any]:
    """The spec as text; where the run begins, as hyperparameters too, beside the metric that the run watches."""
    plain = json.loads(json.dumps(run.spec))
    lines = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).splitlines()
    text = summary.text("spec", "\n".join(f"    {line}" for line in lines))  # type: ignore[no-untyped-call]  # torch's
    if run.first_step:
        return [text]
    experiment, session, _ = summary.hparams(flat_spec(run.spec), {f"valid/{run.monitor}": 0.0})  # type: ignore[no-untyped-call]  # torch's
    return [text, experiment, session]
