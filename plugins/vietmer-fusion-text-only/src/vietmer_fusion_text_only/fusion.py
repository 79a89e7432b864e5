"""One modality alone: the transcript."""

from typing import final

from torch import nn

from vietmer_core.components import Modality
from vietmer_core.nn.projection import projection
from vietmer_core.sequence import MaskedSequence


@final
class TextOnlyFusion(nn.Module):
    """The transcript → one stream, projected (linear → layer norm → dropout) to `dim`; the audio is never read.

    Args:
        text_dim: Width of the text frames.
        dim: Width of the stream.
        dropout: Probability of dropping a projected number in training.
    """

    def __init__(self, *, text_dim: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.output_dims: tuple[int, ...] = (dim,)
        self.stream_modalities: tuple[tuple[Modality, ...], ...] = ((Modality.TEXT,),)
        self.projection = projection(text_dim, dim, dropout=dropout)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:  # noqa: ARG002  # the signature of its role
        """`(batch, tokens, text_dim)` → one `(batch, tokens, dim)` of the same lengths; zeros fill the padding."""
        states = self.projection(text.zeroed().features)  # (batch, tokens, dim)
        return (text.with_features(states).zeroed(),)
