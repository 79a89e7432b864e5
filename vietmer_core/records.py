"""Frozen records that observers of a run receive. An observer reads them and cannot change a result. Torch-free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class RunRecord:
    """A run that starts: where it lives and how long it will be."""

    folder: Path
    name: str
    num_epochs: int
    steps_per_epoch: int
    first_epoch: int
    first_step: int
    monitor: str
    num_parameters: int
    num_trainable_parameters: int


@attrs.frozen(kw_only=True)
class StepRecord:
    """One step of the optimiser: mean loss an utterance, gradient norm before clipping, first group's learning rate."""

    epoch: int
    step: int
    step_in_epoch: int
    loss: float
    gradient_norm: float
    learning_rate: float
    num_utterances: int
    padding_efficiency: float
    seconds: float


@attrs.frozen(kw_only=True)
class EpochRecord:
    """One pass over the training split and the validation scores after it."""

    epoch: int
    step: int
    train_loss: float
    valid_metrics: Mapping[str, float]
    is_best: bool
    seconds: float


@attrs.frozen(kw_only=True)
class FinishRecord:
    """How a run ended; training transcripts too long for the text encoder were cut, so many tokens in all."""

    outcome: Literal["finished", "stopped_early", "interrupted", "failed"]
    epoch: int
    step: int
    best_epoch: int | None
    best_value: float | None
    seconds: float
    message: str = ""
    transcripts_cut: int = 0
    tokens_cut: int = 0
