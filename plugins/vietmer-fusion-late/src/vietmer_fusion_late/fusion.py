"""Late fusion: two streams that meet only as embeddings."""

from typing import final

from torch import nn

from vietmer_core.components import Modality
from vietmer_core.nn.projection import projection
from vietmer_core.sequence import MaskedSequence


@final
class LateFusion(nn.Module):
    """Both modalities → two streams, each projected (linear → layer norm → dropout) to `dim`.

    The model pools each stream with a pooler of its own and puts the embeddings side by side. An absent modality is
    a stream of length 0, for which a pooler gives zeros.

    Args:
        text_dim: Width of the text frames.
        audio_dim: Width of the audio frames.
        dim: Width of each stream.
        dropout: Probability of dropping a projected number in training.
    """

    def __init__(self, *, text_dim: int, audio_dim: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.output_dims: tuple[int, ...] = (dim, dim)
        self.stream_modalities: tuple[tuple[Modality, ...], ...] = ((Modality.TEXT,), (Modality.AUDIO,))
        self.text_projection = projection(text_dim, dim, dropout=dropout)
        self.audio_projection = projection(audio_dim, dim, dropout=dropout)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        """`(batch, tokens, text_dim)`, `(batch, frames, audio_dim)` → `(batch, tokens, dim)`, `(batch, frames, dim)`.

        Lengths are those of the inputs; zeros fill the padding.
        """
        text_states = self.text_projection(text.zeroed().features)  # (batch, tokens, dim)
        audio_states = self.audio_projection(audio.zeroed().features)  # (batch, frames, dim)
        return text.with_features(text_states).zeroed(), audio.with_features(audio_states).zeroed()
