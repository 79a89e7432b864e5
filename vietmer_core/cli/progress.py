"""A run in the terminal: loss, validation score and time left; silent where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from vietmer_core.hooks import hookimpl
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord


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

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        """Show the bar."""
        self._monitor = run.monitor
        total = run.num_epochs * run.steps_per_epoch
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
        """Count utterances as done."""
        self._progress.advance(self._task, num_utterances)


@contextmanager
def utterance_bar(console: Console, title: str) -> Iterator[UtteranceBar]:
    """A bar over utterances while a split is predicted; silent where there is no terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} utterances")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield UtteranceBar(progress, progress.add_task(title, total=None))
