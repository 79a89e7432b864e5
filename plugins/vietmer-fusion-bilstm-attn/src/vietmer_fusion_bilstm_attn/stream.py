"""One modality on its way to the cross-attention."""

from typing import final

from torch import nn

from vietmer_core.nn.convolution import TemporalCNN
from vietmer_core.nn.projection import projection
from vietmer_core.nn.recurrent import BiLSTM
from vietmer_core.sequence import MaskedSequence


@final
class RecurrentStream(nn.Module):
    """Projection → convolutions, if any → BiLSTM → projection, over the real frames alone.

    Args:
        input_dim: Width of the modality's frames.
        dim: Width of both projections.
        convolutions: Of width `dim`, or None.
        recurrence: From `dim`.
    """

    def __init__(self, *, input_dim: int, dim: int, convolutions: TemporalCNN | None, recurrence: BiLSTM) -> None:
        super().__init__()
        self.projection = projection(input_dim, dim)
        self.convolutions = convolutions
        self.recurrence = recurrence
        self.output_projection = projection(recurrence.output_dim, dim)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, input_dim)` → `(batch, time, dim)` of the same lengths; the padding holds finite junk."""
        sequence = sequence.with_features(self.projection(sequence.zeroed().features))  # (batch, time, dim)
        if self.convolutions is not None:
            sequence = self.convolutions(sequence)
        sequence = self.recurrence(sequence)  # (batch, time, 2 hidden_dim)
        return sequence.with_features(self.output_projection(sequence.features))  # (batch, time, dim)
