"""Honest, tiny parts of the kit's own, so that one component can be tested in a whole model of no other plugin."""

from typing import final

from torch import Tensor, nn

from vietmer_core.nn.packing import concatenate_in_time
from vietmer_core.sequence import MaskedSequence


@final
class StandInEncoder(nn.Module):
    """A linear layer on each frame."""

    def __init__(self, *, dim: int, output_dim: int) -> None:
        super().__init__()
        self.output_dim = output_dim
        self.project = nn.Linear(dim, output_dim)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """The same."""
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, dim)` → `(batch, time, output_dim)`."""
        return sequence.with_features(self.project(sequence.features))


@final
class StandInFusion(nn.Module):
    """Both modalities projected to one width, one after the other in time."""

    def __init__(self, *, text_dim: int, audio_dim: int, dim: int) -> None:
        super().__init__()
        self.output_dims = (dim,)
        self.text = nn.Linear(text_dim, dim)
        self.audio = nn.Linear(audio_dim, dim)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        """`(batch, tokens, text_dim)` and `(batch, frames, audio_dim)` → `(batch, tokens + frames, dim)`."""
        projected = text.with_features(self.text(text.features)), audio.with_features(self.audio(audio.features))
        return (concatenate_in_time(*projected),)
