"""`Batch`: what the loader hands to the model."""

import attrs
import torch
from torch import Tensor

from vietmer_core.sequence import MaskedSequence


def absent_sequence(batch: int, device: torch.device | str = "cpu") -> MaskedSequence:
    """The sequence of a modality that the model does not read: `(batch, 0, 0)`, every length 0."""
    return MaskedSequence(
        features=torch.zeros((batch, 0, 0), device=device),
        lengths=torch.zeros((batch,), dtype=torch.int64, device=device),
    )


@attrs.frozen(eq=False, init=False)
class Batch:
    """One batch of utterances.

    Attributes:
        text: `(batch, tokens, fields)` ids from the text frontend; `(batch, 0, 0)` where the model reads no text.
        audio: `(batch, frames, dim)` from the audio frontend; `(batch, 0, 0)` where the model hears nothing.
        labels: `(batch,)` int64 classes in the order of the label space, or None at prediction.
        indices: `(batch,)` int64 positions of the utterances in their split.
    """

    text: MaskedSequence
    audio: MaskedSequence
    labels: Tensor | None
    indices: Tensor

    def __init__(self, *, text: MaskedSequence, audio: MaskedSequence, labels: Tensor | None, indices: Tensor) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "audio", audio)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "indices", indices)

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        labels = None if self.labels is None else self.labels.to(device, non_blocking=True)
        return Batch(text=self.text.to(device), audio=self.audio.to(device), labels=labels, indices=self.indices)

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory (called by torch's loader)."""
        labels = None if self.labels is None else self.labels.pin_memory()
        text, audio = self.text.pin_memory(), self.audio.pin_memory()
        return Batch(text=text, audio=audio, labels=labels, indices=self.indices)
