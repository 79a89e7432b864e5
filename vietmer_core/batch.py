"""`Batch`: what the loader hands to the model."""

from enum import StrEnum
from typing import Any, Final

import attrs
import torch
from torch import Tensor

from vietmer_core.components import Modality
from vietmer_core.nn.draws import folded, utterance_draws
from vietmer_core.sequence import MaskedSequence

TEXT_STREAM: Final = 0
AUDIO_STREAM: Final = 1


class Stage(StrEnum):
    """How far a modality of a batch has come."""

    FEATURES = "features"
    """What the frontend gave."""
    STATES = "states"
    """What the frozen part of the encoder gave (`CacheableEncoder.encode`)."""
    FRAMES = "frames"
    """What the encoder gave."""


def absent_sequence(batch: int, device: torch.device | str = "cpu") -> MaskedSequence:
    """The sequence of a modality that the model does not read: `(batch, 0, 0)`, every length 0."""
    return MaskedSequence(
        features=torch.zeros((batch, 0, 0), device=device),
        lengths=torch.zeros((batch,), dtype=torch.int64, device=device),
    )


def _pinned(numbers: Tensor | None) -> Tensor | None:
    return None if numbers is None else numbers.pin_memory()


def _moved(numbers: Tensor | None, device: torch.device | str) -> Tensor | None:
    return None if numbers is None else numbers.to(device, non_blocking=True)


def _without(sequence: MaskedSequence, taken: Tensor) -> MaskedSequence:
    """Length 0 in the rows taken, and no wider than the rows left; waits for the device."""
    if not bool(taken.any()):
        return sequence
    lengths = sequence.lengths.masked_fill(taken, 0)  # (batch,)
    features = sequence.features[:, : int(lengths.max())]  # (batch, time of the rows left, ...)
    return MaskedSequence(features=features, lengths=lengths, draws=sequence.draws).zeroed()


@attrs.frozen(eq=False, init=False)
class Batch:
    """One batch of utterances.

    Attributes:
        text: `(batch, tokens, fields)` ids from the text frontend; `(batch, 0, 0)` where the model reads no text.
        audio: `(batch, frames, dim)` from the audio frontend; `(batch, 0, 0)` where the model hears nothing.
        labels: `(batch,)` int64 classes in the order of the label space, or None at prediction.
        indices: `(batch,)` int64 positions of the utterances in their split.
        soft_labels: `(batch, classes)` float32 share of the raters for each class, rows sum to 1; None where nobody
            gave any.
        identities: `(batch,)` int64 hash of each utterance's id, or None where the rows have no id.
        draws: `(batch,)` int64 seed of each utterance's random numbers in training, or None: see `drawn`.
        text_stage: How far `text` has come; from `STATES` on it is `(batch, tokens, dim)`.
        audio_stage: How far `audio` has come.
    """

    text: MaskedSequence
    audio: MaskedSequence
    labels: Tensor | None
    indices: Tensor
    soft_labels: Tensor | None
    identities: Tensor | None
    draws: Tensor | None
    text_stage: Stage
    audio_stage: Stage

    def __init__(  # noqa: PLR0913  # one argument for each field
        self,
        *,
        text: MaskedSequence,
        audio: MaskedSequence,
        labels: Tensor | None,
        indices: Tensor,
        soft_labels: Tensor | None = None,
        identities: Tensor | None = None,
        draws: Tensor | None = None,
        text_stage: Stage = Stage.FEATURES,
        audio_stage: Stage = Stage.FEATURES,
    ) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "audio", audio)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "soft_labels", soft_labels)
        object.__setattr__(self, "identities", identities)
        object.__setattr__(self, "draws", draws)
        object.__setattr__(self, "text_stage", text_stage)
        object.__setattr__(self, "audio_stage", audio_stage)

    def __len__(self) -> int:
        return len(self.indices)

    def modality(self, modality: Modality) -> tuple[MaskedSequence, Stage]:
        """The sequence of a modality, and how far it has come."""
        if modality is Modality.TEXT:
            return self.text, self.text_stage
        return self.audio, self.audio_stage

    def drawn(self, *, seed: int, epoch: int) -> "Batch":
        """The same batch with the seeds of its random numbers in training, on itself and on both its sequences.

        An utterance's seed follows from (`seed`, `epoch`, its identity) alone, so it draws the same numbers in every
        batch; its text and its audio have streams of their own.

        Raises:
            ValueError: if the batch has no `identities`.
        """
        if self.identities is None:
            raise ValueError(
                "`identities` must be int64 of shape (batch,) for an utterance to draw, but is None instead."
            )
        draws = utterance_draws(self.identities, seed=seed, epoch=epoch)  # (batch,)
        return self._with(
            text=self.text.with_draws(folded(draws, TEXT_STREAM)),
            audio=self.audio.with_draws(folded(draws, AUDIO_STREAM)),
            draws=draws,
        )

    def without(self, *, text: Tensor, audio: Tensor) -> "Batch":
        """The same batch as if the marked rows had been collated without a modality: its length there is 0.

        Args:
            text: `(batch,)` bool, True where the text is taken away.
            audio: `(batch,)` bool, True where the audio is taken away.
        """
        return self._with(text=_without(self.text, text), audio=_without(self.audio, audio))

    def with_sequences(self, *, text: MaskedSequence | None = None, audio: MaskedSequence | None = None) -> "Batch":
        """The same batch with another text, audio, or both; None keeps what there is."""
        return self._with(text=text or self.text, audio=audio or self.audio)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; the positions, which the model does not read, stay."""
        return self._with(
            text=self.text.to(device),
            audio=self.audio.to(device),
            labels=_moved(self.labels, device),
            soft_labels=_moved(self.soft_labels, device),
            identities=_moved(self.identities, device),
            draws=_moved(self.draws, device),
        )

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory (called by torch's loader)."""
        return self._with(
            text=self.text.pin_memory(),
            audio=self.audio.pin_memory(),
            labels=_pinned(self.labels),
            soft_labels=_pinned(self.soft_labels),
            identities=_pinned(self.identities),
            draws=_pinned(self.draws),
        )

    def _with(self, **changes: Any) -> "Batch":
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(Batch)}
        return Batch(**{**fields, **changes})
