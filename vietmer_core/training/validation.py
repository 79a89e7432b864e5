"""Scoring the validation split, by one process or by several together."""

from typing import Any

import numpy as np

from vietmer_core.evaluation.metrics import score
from vietmer_core.evaluation.predictions import Predictions, predict_split
from vietmer_core.training.experiment import Experiment
from vietmer_core.training.processes import Processes
from vietmer_core.training.state import TrainingState


def validate(
    experiment: Experiment, state: TrainingState, loader: Any, *, processes: Processes
) -> tuple[Predictions, dict[str, float]]:
    """Predictions and scores of the whole split, the same in every process.

    Raises:
        DataError: if an utterance of the split cannot be used.
    """
    labels = experiment.spec.labels
    is_canonical = experiment.spec.shapes.prediction == "canonical" and not state.is_sharded
    found = processes.together(
        lambda: predict_split(
            state.evaluated,
            loader,
            num_classes=len(labels),
            device=experiment.device,
            passes=experiment.passes if is_canonical else None,
        )
    )
    if not state.is_sharded:  # else every process has predicted all
        found = merged(processes.gathered(found))
    return found, score(found.probabilities, found.truth, labels).summary


def merged(parts: list[Predictions]) -> Predictions:
    """The predictions of several processes in the order of the split; each utterance stands in one part."""
    if len(parts) == 1:
        return parts[0]
    indices = np.concatenate([part.indices for part in parts])
    order = np.argsort(indices, kind="stable")
    return Predictions(
        indices=indices[order],
        probabilities=np.concatenate([part.probabilities for part in parts])[order],
        truth=np.concatenate([part.truth for part in parts])[order],
        tokens_cut={index: cut for part in parts for index, cut in part.tokens_cut.items()},
        samples_added={index: added for part in parts for index, added in part.samples_added.items()},
    )
