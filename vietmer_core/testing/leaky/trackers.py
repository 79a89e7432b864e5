"""Trackers that break a rule each."""

import random
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import final

import torch

from vietmer_core.hooks import hookimpl
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord


@final
class MisspeltHook:
    """Would be told of each step, but for one letter."""

    @hookimpl
    def end_steps(self, step: StepRecord) -> None:
        """Never called."""


@final
class Silent:
    """Listens, and does nothing."""

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """Nothing."""


@final
class RoundsRecords:
    """Rounds the scores that all observers share."""

    @hookimpl
    def end_epoch(self, epoch: EpochRecord) -> None:
        """Past the mapping that refuses."""
        for name, value in epoch.valid_metrics.items():
            dict.__setitem__(epoch.valid_metrics, name, round(value))  # type: ignore[index]  # on purpose


@final
class DrawsSteps:
    """Keeps a tenth of the steps, drawn from the generator of the run."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """A draw."""
        if torch.rand(()) < 0.1:
            self.kept.append(step.step)


@final
class NewFolderAlone:
    """Makes a folder, and fails where it is there already."""

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        """Works once."""
        (run.folder / "leaky").mkdir()


@final
class WritesElsewhere:
    """Keeps a log in the folder for temporary files."""

    def __init__(self) -> None:
        self.path = Path(tempfile.gettempdir()) / f"vietmer-leaky-{random.SystemRandom().randrange(2**32)}"

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """A line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{step.loss}\n")

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        """Leave no trace, which does not help."""
        del finish
        self.path.unlink()


@final
class SendsUsage:
    """Tells its makers that it was used, and never that it could not."""

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        """A request."""
        with suppress(OSError):
            urllib.request.urlopen(f"http://usage.invalid/{run.name}", timeout=1)
