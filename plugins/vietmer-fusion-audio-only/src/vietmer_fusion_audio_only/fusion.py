"""One modality alone: the speech."""

from typing import final

from torch import nn

from vietmer_core.components import Modality
from vietmer_core.nn.projection import projection
from vietmer_core.sequence import MaskedSequence


@final
class AudioOnlyFusion(nn.Module):
    """The speech → one stream, projected (linear → layer norm → dropout) to `dim`; the text is never read.

    Args:
        audio_dim: Width of the audio frames.
        dim: Width of the stream.
        dropout: Probability of dropping a projected number in training.
    """

    def __init__(self, *, audio_dim: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.output_dims: tuple[int, ...] = (dim,)
        self.stream_modalities: tuple[tuple[Modality, ...], ...] = ((Modality.AUDIO,),)
        self.projection = projection(audio_dim, dim, dropout=dropout)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:  # noqa: ARG002  # the signature of its role
        """`(batch, frames, audio_dim)` → one `(batch, frames, dim)` of the same lengths; zeros fill the padding."""
        states = self.projection(audio.zeroed().features)  # (batch, frames, dim)
        return (audio.with_features(states).zeroed(),)
