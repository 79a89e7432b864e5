"""How much of each updated frame reaches the fused sequence."""

from typing import final

import torch
from torch import nn

from vietmer_core.sequence import MaskedSequence


@final
class StreamGate(nn.Module):
    """Scales every frame by a sigmoid of itself: x ← sigmoid(W x + b) ⊙ x, with W `(dim, dim)`.

    One gate serves one stream, so that the model learns which numbers of the text and which of the audio count. A gate
    reads the frame it scales and nothing else: no padding, and no length. It is the gated linear unit of Dauphin et
    al. 2017 ("Language modeling with gated convolutional networks") with the frame itself as its value.

    Args:
        dim: Width of the frames.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, dim)` → the same shape and lengths."""
        return sequence.with_features(torch.sigmoid(self.linear(sequence.features)) * sequence.features)
