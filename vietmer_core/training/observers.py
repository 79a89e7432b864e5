"""Telling observers what happens. They get frozen records and cannot change a result."""

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO, final

import attrs
import pluggy

from vietmer_core.errors import RunError, VietmerError
from vietmer_core.hooks import hookimpl
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord

Event = Literal["fill_cache", "start_run", "end_step", "end_epoch", "finish_run"]


@contextmanager
def observing(manager: pluggy.PluginManager, observers: list[object]) -> Iterator[pluggy.PluginManager]:
    """The plugin manager with a run's own observers registered beside the installed ones."""
    for observer in observers:
        manager.register(observer)
    try:
        yield manager
    finally:
        for observer in observers:
            manager.unregister(observer)


def tell(manager: pluggy.PluginManager, event: Event, **record: Any) -> None:
    """Call a hook. The end of a run is told to every observer, even where one fails; the first failure is raised then.

    Raises:
        RunError: if an observer fails; the sentence names the hook.
    """
    if event != "finish_run":
        _call(getattr(manager.hook, event), event, record)
        return
    failures: list[VietmerError] = []
    observers = [implementation.plugin for implementation in reversed(manager.hook.finish_run.get_hookimpls())]
    for observer in observers:
        others = [other for other in observers if other is not observer]
        try:
            _call(manager.subset_hook_caller(event, others), event, record)
        except VietmerError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _call(hook: Callable[..., Any], event: Event, record: Mapping[str, Any]) -> None:
    try:
        hook(**record)
    except VietmerError:
        raise
    except Exception as error:
        raise RunError(f"an observer failed in `{event}`: {type(error).__name__}: {error}.") from error


@final
class MetricsFile:
    """Appends each record to `metrics.jsonl`, one line at a time, so that a kill loses at most the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def _write(self, kind: str, values: dict[str, Any]) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8", buffering=1)
        try:
            self._file.write(json.dumps({"record": kind, **values}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise RunError(f"{self._path}: cannot be written: {error.strerror or error}.") from None

    @hookimpl(tryfirst=True)  # before trackers: where one fails, the run folder has the record
    def end_step(self, step: StepRecord) -> None:
        """One line a step."""
        self._write("step", attrs.asdict(step))

    @hookimpl(tryfirst=True)
    def end_epoch(self, epoch: EpochRecord) -> None:
        """One line an epoch."""
        self._write("epoch", attrs.asdict(epoch))

    @hookimpl(tryfirst=True)
    def finish_run(self, finish: FinishRecord) -> None:
        """Close the file."""
        del finish
        if self._file is not None:
            self._file.close()
            self._file = None


@final
class StatusFile:
    """Keeps `status.json`: what `vietmer runs list` shows."""

    def __init__(self, folder: Path) -> None:
        from vietmer_core.training.run_folder import RunFolder

        self._folder = RunFolder(folder)

    def _write(self, **values: Any) -> None:
        self._folder.write_json("status.json", {**self._folder.read_json("status.json"), **values})

    @hookimpl(tryfirst=True)
    def start_run(self, run: RunRecord) -> None:
        """The run is under way."""
        here = {"process": os.getpid(), "host": platform.node()}
        self._write(name=run.name, outcome="running", epochs=run.num_epochs, monitor=run.monitor, **here)

    @hookimpl(tryfirst=True)
    def end_epoch(self, epoch: EpochRecord) -> None:
        """An epoch is done."""
        values: dict[str, Any] = {"epoch": epoch.epoch + 1, "step": epoch.step}
        if epoch.is_best:
            values |= {"best_epoch": epoch.epoch, "best": dict(epoch.valid_metrics)}
        self._write(**values)

    @hookimpl(tryfirst=True)
    def finish_run(self, finish: FinishRecord) -> None:
        """The run has ended, was interrupted or failed."""
        self._write(**attrs.asdict(finish))
