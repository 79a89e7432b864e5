"""A step that is not finite, saved so that it can be run again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch

from vietmer_core.batch import Batch, Stage
from vietmer_core.errors import NonFiniteError
from vietmer_core.sequence import MaskedSequence
from vietmer_core.training.checkpoint import save_checkpoint
from vietmer_core.training.experiment import Experiment, class_counts
from vietmer_core.training.processes import Processes
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.weights import model_state

MOST_NAMED: Final = 5
SEQUENCES: Final = ("text", "audio")
TENSORS: Final = ("labels", "indices", "soft_labels", "identities", "draws")


def _sequence_state(sequence: MaskedSequence) -> dict[str, Any]:
    return {"features": sequence.features.cpu(), "lengths": sequence.lengths.cpu(), "draws": _cpu(sequence.draws)}


def _cpu(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.cpu()


def batch_state(batch: Batch) -> dict[str, Any]:
    """A batch as tensors and plain values."""
    stages = {f"{name}_stage": batch_stage.value for name, batch_stage in _stages(batch).items()}
    sequences = {name: _sequence_state(getattr(batch, name)) for name in SEQUENCES}
    return {**sequences, **{name: _cpu(getattr(batch, name)) for name in TENSORS}, **stages}


def _stages(batch: Batch) -> dict[str, Stage]:
    return {"text": batch.text_stage, "audio": batch.audio_stage}


def batch_from_state(state: dict[str, Any]) -> Batch:
    """The batch that `batch_state` described."""
    return Batch(
        text=MaskedSequence(**state["text"]),
        audio=MaskedSequence(**state["audio"]),
        **{name: state[name] for name in TENSORS},
        text_stage=Stage(state["text_stage"]),
        audio_stage=Stage(state["audio_stage"]),
    )


def failure_path(folder: RunFolder, step: int) -> Path:
    """Where the failure of a step is saved."""
    return folder.path / "failures" / f"step-{step:08d}.pt"


def save_failure(
    error: NonFiniteError,
    batches: Sequence[Batch],
    experiment: Experiment,
    *,
    processes: Processes,
    folder: RunFolder,
    step: int,
    random: dict[str, Any],
) -> NonFiniteError:
    """Save the batches of a step, of all processes, with the weights and the random states before it.

    Every process takes part; the main one writes.

    Returns:
        The error to raise: it names the step, the utterances, the file and what to do.

    Raises:
        RunError: if the file cannot be written.
    """
    own: dict[str, Any] = {"batches": [batch_state(batch) for batch in batches], "random": random}
    parts = processes.gathered(own)
    rows = [index for part in parts for batch in part["batches"] for index in batch["indices"].tolist()]
    state = {
        **model_state(experiment.model),
        "what": error.what,
        "step": step + 1,
        "epoch": experiment.batches.epoch,
        "class_counts": class_counts(experiment.train, experiment.spec),
        "utterance_ids": [experiment.train[index].utterance_id for index in rows],
        "parts": parts,
    }
    if processes.is_main:
        save_checkpoint(failure_path(folder, step + 1), state=state)
    told = _told(error, experiment, folder=folder, step=step + 1)
    return NonFiniteError(error.what, indices=error.indices, told=told)


def _told(error: NonFiniteError, experiment: Experiment, *, folder: RunFolder, step: int) -> str:
    named = [f"`{experiment.train[row].utterance_id}` ({experiment.train[row].place})" for row in error.indices]
    shown = ", ".join(named[:MOST_NAMED]) + (f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else "")
    whose = "is not for" if error.what == "loss" else "is not in the batch of"
    return (
        f"the {error.what} of step {step} (epoch {experiment.batches.epoch + 1}) must be finite, but {whose} "
        f"{shown}. No weight was changed. `vietmer replay {folder.path}` runs the step again and names the part that "
        "gives it. Lower `training.learning_rate`, or look at those utterances."
    )
