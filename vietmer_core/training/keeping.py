"""`Keeper`: what a run writes into its folder while it trains. Every file whole or not at all."""

import json
from pathlib import Path
from typing import Any, final

from vietmer_core.evaluation.prediction_files import prediction_rows, write_rows
from vietmer_core.evaluation.predictions import Predictions
from vietmer_core.files import write_atomically
from vietmer_core.training.best_files import forget_previous, keep_previous
from vietmer_core.training.checkpoint import save_checkpoint
from vietmer_core.training.experiment import Experiment
from vietmer_core.training.processes import Processes
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.state import TrainingState
from vietmer_core.training.weights import model_state


@final
class Keeper:
    """Writes checkpoints and lists; the main process writes, all take part.

    Args:
        experiment: What is trained.
        state: What changes.
        processes: All of the run.
        folder: Of the run.
        facts: What a checkpoint says of the run it belongs to.
    """

    def __init__(
        self,
        experiment: Experiment,
        state: TrainingState,
        *,
        processes: Processes,
        folder: RunFolder,
        facts: dict[str, Any],
    ) -> None:
        self._experiment = experiment
        self._state = state
        self._processes = processes
        self._folder = folder
        self._facts = facts
        self._num_listed = 0

    def save_last(self, *, seconds: float) -> None:
        """Write the checkpoint from which the run goes on.

        Raises:
            RunError: if it cannot be written; the previous one stays.
        """
        self._save([self._folder.last_checkpoint], seconds=seconds)

    def save_periodic(self, *, seconds: float) -> None:
        """Write one that stays, and the last; the oldest that stay go.

        Raises:
            RunError: if one cannot be written.
        """
        periodic = self._folder.periodic_checkpoint(self._state.progress.step)
        self._save([periodic, self._folder.last_checkpoint], seconds=seconds)
        if self._processes.is_main:
            for old in self._folder.periodic_checkpoints()[: -self._experiment.spec.training.keep_checkpoints]:
                old.unlink()

    def save_best(self, found: Predictions, metrics: dict[str, float]) -> None:
        """Write the weights of the best epoch, and what they predict of the validation split.

        Raises:
            RunError: if it cannot be written.
        """
        experiment = self._experiment
        weights = model_state(experiment.model)

        def write() -> None:
            if self._processes.is_main:
                keep_previous(self._folder)
                best = {**weights, "epoch": experiment.batches.epoch, "metrics": metrics}
                save_checkpoint(self._folder.best_checkpoint, state=best)
                rows = prediction_rows(found, experiment.valid, experiment.spec.labels)
                write_rows(self._folder.predictions_path("valid"), rows)

        self._processes.together(write)

    def _save(self, paths: list[Path], *, seconds: float) -> None:
        snapshot = {**self._state.snapshot(seconds=seconds), **self._facts}

        def write() -> None:
            if self._processes.is_main:
                self._list_skipped()
                save_checkpoint(*paths, state=snapshot)
                forget_previous(self._folder)

        self._processes.together(write)

    def _list_skipped(self) -> None:
        """Write `skipped.jsonl`, one row for each training utterance that was left out, where there are new ones."""
        skipped = self._state.noted.skipped
        if len(skipped) == self._num_listed:
            return
        train = self._experiment.train
        rows = [{"utterance_id": train[index].utterance_id, "reason": skipped[index]} for index in sorted(skipped)]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_atomically(self._folder.path / "skipped.jsonl", text.encode())
        self._num_listed = len(skipped)
