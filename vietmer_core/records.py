"""Frozen records that observers of a run receive. An observer reads them and cannot change a result. Torch-free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, final

import attrs


@final
class ReadOnly(dict[str, Any]):
    """A mapping that is written as JSON like any other, and refuses to be changed, as do the mappings in it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__({name: read_only(value) for name, value in values.items()})

    def _refuse(self, *_arguments: object, **_named: object) -> NoReturn:
        raise TypeError("a record cannot be changed; copy it with `dict(...)`.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type["ReadOnly"], tuple[dict[str, Any]]]:
        return ReadOnly, (dict(self),)


def read_only(value: Any) -> Any:
    """A value of JSON that cannot be changed: mappings are `ReadOnly`, lists are tuples."""
    if isinstance(value, Mapping):
        return value if isinstance(value, ReadOnly) else ReadOnly(value)
    return tuple(map(read_only, value)) if isinstance(value, list | tuple) else value


@attrs.frozen(kw_only=True)
class RunRecord:
    """A run that starts: where it lives, how long it will be, and what it is.

    Attributes:
        folder: Where it lives; its `provenance.json` is written already.
        name: Of the experiment.
        num_epochs: Passes over the training split at most.
        num_steps: Of all epochs.
        steps_per_epoch: Of the first epoch.
        first_epoch: Not 0 where the run continues.
        first_step: Not 0 where the run continues.
        monitor: The validation metric that chooses the best checkpoint.
        num_parameters: Of the model.
        num_trainable_parameters: Those that are trained in some epoch.
        spec: The resolved spec, as plain values.
    """

    folder: Path
    name: str
    num_epochs: int
    num_steps: int
    steps_per_epoch: int
    first_epoch: int
    first_step: int
    monitor: str
    num_parameters: int
    num_trainable_parameters: int
    spec: Mapping[str, Any] = attrs.field(factory=dict, converter=read_only)


@attrs.frozen(kw_only=True)
class CacheRecord:
    """How far the feature cache has been filled for one split and one encoder.

    Attributes:
        encoder: Such as `audio: whisper`.
        split: `train`, `valid` or `test`.
        folder: Where the states are kept.
        num_utterances: Utterances of the split that have the modality.
        num_kept: Those whose states were there and verified.
        num_damaged: Those whose states were there, but damaged; they are computed again.
        num_done: Those computed so far.
        num_bytes: About what is to be written, bytes.
        waits_for: Who is filling the same folder at the moment; empty where nobody is.
    """

    encoder: str
    split: str
    folder: Path
    num_utterances: int
    num_kept: int
    num_damaged: int
    num_done: int
    num_bytes: int
    waits_for: str = ""

    @property
    def num_missing(self) -> int:
        """Utterances to compute, those done included."""
        return self.num_utterances - self.num_kept


@attrs.frozen(kw_only=True)
class StepRecord:
    """One step of the optimiser.

    Attributes:
        epoch: From 0.
        step: Steps since the start of the run.
        step_in_epoch: Steps since the start of the epoch.
        loss: Mean over the utterances of the step, of all processes.
        gradient_norm: Before clipping.
        learning_rate: Of the first parameter group.
        num_utterances: Of the step, over all processes.
        padding_efficiency: Real ÷ computed frames, of this process.
        seconds: From the end of the step before, waiting for the loader included.
        memory_bytes: The most that the process has held so far: on its GPU, or, on a CPU, in main memory.
    """

    epoch: int
    step: int
    step_in_epoch: int
    loss: float
    gradient_norm: float
    learning_rate: float
    num_utterances: int
    padding_efficiency: float
    seconds: float
    memory_bytes: int = 0


@attrs.frozen(kw_only=True)
class EpochRecord:
    """One pass over the training split and the validation scores after it."""

    epoch: int
    step: int
    train_loss: float
    valid_metrics: Mapping[str, float] = attrs.field(converter=read_only)
    is_best: bool
    seconds: float


@attrs.frozen(kw_only=True)
class FinishRecord:
    """How a run ended; what of the training split did not fit the encoders was cut or padded, and is counted here.

    Attributes:
        outcome: How it ended.
        epoch: Epochs completed.
        step: Steps taken.
        best_epoch: The epoch of the best validation score, from 0.
        best_value: That score.
        seconds: Time that it took, stops left out.
        message: Why it failed; empty where it did not.
        transcripts_cut: Transcripts that were too long for the text encoder.
        tokens_cut: Tokens left out of them.
        audio_padded: Utterances whose audio was too short for the audio encoder and was padded with silence.
        samples_added: Samples added to them.
        utterances_skipped: Training utterances left out because they could not be used (`data.faults: skip`).
    """

    outcome: Literal["finished", "stopped_early", "interrupted", "failed"]
    epoch: int
    step: int
    best_epoch: int | None
    best_value: float | None
    seconds: float
    message: str = ""
    transcripts_cut: int = 0
    tokens_cut: int = 0
    audio_padded: int = 0
    samples_added: int = 0
    utterances_skipped: int = 0
