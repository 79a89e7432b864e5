"""A run in the terminal, while the cache is filled and while it trains; silent where there is no terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, final

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from vietmer_core.cli.training_view import TrainingView
from vietmer_core.files import in_mib
from vietmer_core.hooks import hookimpl
from vietmer_core.records import CacheRecord, EpochRecord, FinishRecord, RunRecord, StepRecord
from vietmer_core.tracking import kept_epochs

SECONDS_BETWEEN_DRAWINGS: Final = 0.25


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
    """Shows a run while it trains; an observer.

    The panel is drawn by the thread that trains, between two steps and at most 4 times a second, so that a step costs
    nothing in between and no thread runs beside it.

    Args:
        console: Where; nothing is shown unless it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cache = CacheDisplay(console)
        self._view: TrainingView | None = None
        self._live: Live | None = None
        self._drawn = 0.0

    @hookimpl
    def fill_cache(self, progress: CacheRecord) -> None:
        """Show what the feature cache lacks, and how far it is filled."""
        self._cache.fill_cache(progress)

    def close(self) -> None:
        """Leave the panel as it is last, whatever has happened, so that what is written next stands below it."""
        self._cache.close()
        if self._live is not None:
            self._live.stop()
        self._live = None

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        """Show the panel."""
        if not self._console.is_terminal:
            return
        self._cache.close()
        self._view = TrainingView(run, scored=list(kept_epochs(run)))
        self._live = Live(self._view, console=self._console, auto_refresh=False)
        self._live.start(refresh=True)

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """Note a step."""
        if self._view is not None:
            self._view.end_step(step)
            self._draw()

    @hookimpl
    def end_epoch(self, epoch: EpochRecord) -> None:
        """Note the validation score."""
        if self._view is not None:
            self._view.end_epoch(epoch)
            self._draw()

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        """Leave the panel as it is last."""
        del finish
        self.close()

    def _draw(self) -> None:
        now = time.monotonic()
        if self._live is not None and now - self._drawn >= SECONDS_BETWEEN_DRAWINGS:
            self._live.refresh()
            self._drawn = now


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
