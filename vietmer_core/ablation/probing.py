"""Timing a few steps of a kind of cell, from which follows about what the whole of it takes."""

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, final

from vietmer_core.ablation.job_folder import JobFolder
from vietmer_core.ablation.tasks import spec_of
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.data.splits import open_split
from vietmer_core.errors import NotKeptError
from vietmer_core.hooks import hookimpl
from vietmer_core.records import RunRecord, StepRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.training.runs import start_run

NUM_STEPS: Final = 8
WARM_UP: Final = 2
"""Steps that are not counted: the first ones allocate and choose their kernels."""
FORWARD_SHARE: Final = 1 / 3
"""Of an utterance's share of a step, what its prediction takes: a backward pass costs as much as two forward ones."""


class _EnoughError(NotKeptError):
    """Ends a run: enough of it is known."""


@final
class StepTimer:
    """An observer that notes how long the steps of a run take, and how many there would be, and then ends it.

    A position to stop at would not do: in short epochs, and with several batches a step, a run may never be there.
    """

    def __init__(self) -> None:
        self.total_steps = 0
        self._most = NUM_STEPS
        self._steps: list[tuple[float, int]] = []

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        """Note how many steps there would be."""
        self.total_steps = run.num_steps
        self._most = max(1, min(NUM_STEPS, run.steps_per_epoch))

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """Note one step.

        Raises:
            _EnoughError: after the last that is timed.
        """
        self._steps.append((step.seconds, step.num_utterances))
        if len(self._steps) >= self._most:
            raise _EnoughError("enough steps were timed.")

    @property
    def seconds(self) -> float:
        """Of all steps together."""
        return sum(seconds for seconds, _ in self._steps)

    @property
    def seconds_per_utterance(self) -> float:
        """Without the steps that warm up, where there are others."""
        counted = self._steps[WARM_UP:] or self._steps
        return sum(seconds for seconds, _ in counted) / max(1, sum(number for _, number in counted))

    @property
    def utterances_per_step(self) -> float:
        """Mean over the steps taken."""
        return sum(number for _, number in self._steps) / max(1, len(self._steps))


def time_steps(job: JobFolder, document: Mapping[str, Any]) -> dict[str, Any]:
    """Take a few steps of a cell, without its trackers; its run is not kept.

    Raises:
        KeyboardInterrupt: if it was told to stop: too few steps tell nothing.
        VietmerError: if it cannot be trained.
    """
    catalogue, timer = installed_catalogue(), StepTimer()
    spec = spec_of(job, document, catalogue).model_copy(update={"trackers": ()})
    shutil.rmtree(job.run_path, ignore_errors=True)
    began = time.perf_counter()
    try:
        with suppress(_EnoughError):
            start_run(spec, root=job.path, at=job.run_path, observers=[timer], catalogue=catalogue)
            raise KeyboardInterrupt  # it was told to stop before the last step that is timed
    finally:
        shutil.rmtree(job.run_path, ignore_errors=True)
    setup = time.perf_counter() - began - timer.seconds
    return {"estimate": round(_estimate(spec, catalogue, timer, setup=setup, split=str(document["split"])), 1)}


def _estimate(spec: ExperimentSpec, catalogue: Catalogue, timer: StepTimer, *, setup: float, split: str) -> float:
    """Seconds that the whole cell takes: every step, a validation an epoch, and the scoring."""
    valid, scored = (len(open_split(spec, name, catalogue)) for name in ("valid", split))
    trained = timer.total_steps * timer.utterances_per_step
    predicted = spec.training.epochs * valid + scored
    return setup + timer.seconds_per_utterance * (trained + FORWARD_SHARE * predicted)
