"""A run in the terminal: loss, validation score and time left; silent where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from vietmer_core.files import in_mib
from vietmer_core.hooks import hookimpl
from vietmer_core.records import CacheRecord, EpochRecord, FinishRecord, RunRecord, StepRecord


@final
class CacheDisplay:
    """Says in a line what the feature cache has and lacks, then counts what is computed; an observer.

    Args:
        console: Where; the line is written to files, too, the count only to a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._told: tuple[str, str, str] | None = None

    def close(self) -> None:
        """Take the count away, so that an error is written on a line of its own."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = self._task = None

    @hookimpl
    def fill_cache(self, progress: CacheRecord) -> None:
        """Show one record."""
        told = (progress.split, progress.encoder, progress.waits_for)
        if told != self._told and not progress.num_done:
            self._console.print(_cache_line(progress), markup=False, highlight=False, soft_wrap=True)
            self._told = told
        if progress.num_done and self._progress is None:
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._progress = Progress(
                *columns, console=self._console, transient=True, disable=not self._console.is_terminal
            )
            self._progress.start()
            self._task = self._progress.add_task(f"encoding {progress.split}", total=progress.num_missing)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=progress.num_done, total=progress.num_missing)
            if progress.num_done >= progress.num_missing:
                self.close()


def _cache_line(record: CacheRecord) -> str:
    line = f"cache: {record.encoder}, {record.split}: {record.num_kept} of {record.num_utterances} kept"
    if record.waits_for:
        return f"{line}; {record.waits_for}"
    if record.num_damaged:
        line += f", {record.num_damaged} damaged"
    if not record.num_missing:
        return f"{line}, in {record.folder}"
    return f"{line}, {record.num_missing} to encode, about {in_mib(record.num_bytes)}, in {record.folder}"


@final
class TrainingDisplay:
    """Shows the steps of a run as a bar; an observer.

    Args:
        console: Where; nothing is shown unless it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TextColumn("{task.fields[valid]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._loss = 0.0
        self._cache = CacheDisplay(console)

    @hookimpl
    def fill_cache(self, progress: CacheRecord) -> None:
        """Show what the feature cache lacks, and how far it is filled."""
        self._cache.fill_cache(progress)

    def close(self) -> None:
        """Take everything away, whatever has happened."""
        self._cache.close()
        self._progress.stop()

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        """Show the bar."""
        self._monitor = run.monitor
        total = run.num_steps
        self._progress.start()
        self._task = self._progress.add_task(
            run.name, total=total, completed=run.first_step, loss=0.0, valid=f"valid {run.monitor} –"
        )

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """Move on by one step; the loss shown is a running mean over about 20 steps."""
        assert self._task is not None
        self._loss = step.loss if self._loss == 0.0 else 0.95 * self._loss + 0.05 * step.loss
        self._progress.update(self._task, completed=step.step, loss=self._loss)

    @hookimpl
    def end_epoch(self, epoch: EpochRecord) -> None:
        """Show the validation score."""
        assert self._task is not None
        mark = " (best)" if epoch.is_best else ""
        value = f"epoch {epoch.epoch + 1} valid {self._monitor} {epoch.valid_metrics[self._monitor]:.3f}{mark}"
        self._progress.update(self._task, valid=value)

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        """Take the bar away."""
        del finish
        self._progress.stop()


@final
class UtteranceBar:
    """A bar over utterances."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, num_utterances: int) -> None:
        """Count utterances as done; the first ones show the bar."""
        self._progress.start()  # again and again without effect
        self._progress.advance(self._task, num_utterances)


@contextmanager
def utterance_bar(console: Console, title: str) -> Iterator[UtteranceBar]:
    """A bar over utterances while a split is predicted; silent where there is no terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} utterances")
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    try:
        yield UtteranceBar(progress, progress.add_task(title, total=None))
    finally:
        progress.stop()
