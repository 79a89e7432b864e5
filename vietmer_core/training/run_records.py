"""The records of a run as a whole: how it begins, and how it ended."""

from typing import Literal

from vietmer_core.assembly import count_parameters
from vietmer_core.records import FinishRecord, RunRecord
from vietmer_core.training.experiment import Experiment
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.state import TrainingState


def run_record(experiment: Experiment, state: TrainingState, *, folder: RunFolder) -> RunRecord:
    """Where a run lives, where it stands and how long it will be."""
    parameters, _ = count_parameters(experiment.model)
    training, batches = experiment.spec.training, experiment.batches
    return RunRecord(
        folder=folder.path,
        name=experiment.spec.name,
        num_epochs=training.epochs,
        num_steps=state.num_steps,
        steps_per_epoch=len(batches),
        first_epoch=batches.epoch,
        first_step=state.progress.step,
        monitor=training.monitor,
        num_parameters=parameters,
        num_trainable_parameters=state.num_trainable,
        spec=experiment.spec.resolved(),
    )


def finish_record(
    experiment: Experiment,
    state: TrainingState,
    *,
    outcome: Literal["finished", "stopped_early", "interrupted", "failed"],
    seconds: float,
    message: str,
) -> FinishRecord:
    """How a run ended, and what of its training split did not fit.

    Args:
        experiment: What was trained.
        state: Where it stands.
        outcome: How it ended.
        seconds: Time that it took, stops left out.
        message: Why it failed; empty where it did not.
    """
    noted, progress = state.noted, state.progress
    return FinishRecord(
        outcome=outcome,
        epoch=experiment.batches.epoch,
        step=progress.step,
        best_epoch=progress.best_epoch,
        best_value=progress.best_value,
        seconds=seconds,
        message=message,
        transcripts_cut=len(noted.cut),
        tokens_cut=sum(noted.cut.values()),
        audio_padded=len(noted.padded),
        samples_added=sum(noted.padded.values()),
        utterances_skipped=len(noted.skipped),
    )
