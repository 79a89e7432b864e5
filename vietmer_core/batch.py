"""`Batch`: what the loader hands to the model."""

from typing import Final

import attrs
import torch
from torch import Tensor

from vietmer_core.nn.draws import folded, utterance_draws
from vietmer_core.sequence import MaskedSequence

TEXT_STREAM: Final = 0
AUDIO_STREAM: Final = 1


def absent_sequence(batch: int, device: torch.device | str = "cpu") -> MaskedSequence:
    """The sequence of a modality that the model does not read: `(batch, 0, 0)`, every length 0."""
    return MaskedSequence(
        features=torch.zeros((batch, 0, 0), device=device),
        lengths=torch.zeros((batch,), dtype=torch.int64, device=device),
    )


def _pinned(numbers: Tensor | None) -> Tensor | None:
    return None if numbers is None else numbers.pin_memory()


@attrs.frozen(eq=False, init=False)
class Batch:
    """One batch of utterances.

    Attributes:
        text: `(batch, tokens, fields)` ids from the text frontend; `(batch, 0, 0)` where the model reads no text.
        audio: `(batch, frames, dim)` from the audio frontend; `(batch, 0, 0)` where the model hears nothing.
        labels: `(batch,)` int64 classes in the order of the label space, or None at prediction.
        indices: `(batch,)` int64 positions of the utterances in their split.
        identities: `(batch,)` int64 hash of each utterance's id, or None where the rows have no id.
        draws: `(batch,)` int64 seed of each utterance's random numbers in training, or None: see `drawn`.
    """

    text: MaskedSequence
    audio: MaskedSequence
    labels: Tensor | None
    indices: Tensor
    identities: Tensor | None
    draws: Tensor | None

    def __init__(
        self,
        *,
        text: MaskedSequence,
        audio: MaskedSequence,
        labels: Tensor | None,
        indices: Tensor,
        identities: Tensor | None = None,
        draws: Tensor | None = None,
    ) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "audio", audio)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "identities", identities)
        object.__setattr__(self, "draws", draws)

    def __len__(self) -> int:
        return len(self.indices)

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
        return Batch(
            text=self.text.with_draws(folded(draws, TEXT_STREAM)),
            audio=self.audio.with_draws(folded(draws, AUDIO_STREAM)),
            labels=self.labels,
            indices=self.indices,
            identities=self.identities,
            draws=draws,
        )

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; the positions, which the model does not read, stay."""

        def moved(numbers: Tensor | None) -> Tensor | None:
            return None if numbers is None else numbers.to(device, non_blocking=True)

        return Batch(
            text=self.text.to(device),
            audio=self.audio.to(device),
            labels=moved(self.labels),
            indices=self.indices,
            identities=moved(self.identities),
            draws=moved(self.draws),
        )

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory (called by torch's loader)."""
        return Batch(
            text=self.text.pin_memory(),
            audio=self.audio.pin_memory(),
            labels=_pinned(self.labels),
            indices=self.indices,
            identities=_pinned(self.identities),
            draws=_pinned(self.draws),
        )
