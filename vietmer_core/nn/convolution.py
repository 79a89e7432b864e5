"""Convolutions over time that never read padding."""

from typing import final

from einops import rearrange
from torch import Tensor, nn

from vietmer_core.sequence import MaskedSequence


@final
class TemporalCNN(nn.Module):
    """Convolution → GELU → dropout, layer after layer, each over the real frames alone; the length stays.

    The padding is zeroed before every convolution: the bias of one fills it, and the next would read that. A row thus
    gets what "same" convolutions of its own frames give.

    Args:
        dim: Width of the frames, of every layer.
        num_layers: At least 1.
        kernel_size: Frames that a convolution reads, an odd number.
        dropout: Probability of dropping a number after each activation in training.
        dilation_growth: Layer l, from 0, reads every `dilation_growth ** l`-th frame (van den Oord et al. 2016,
            "WaveNet"); 1 for neighbours throughout.

    Raises:
        ValueError: if `kernel_size` is even, so that no padding on both sides keeps the length.
    """

    def __init__(self, *, dim: int, num_layers: int, kernel_size: int, dropout: float, dilation_growth: int) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd, but is {kernel_size} instead.")
        dilations = [dilation_growth**layer for layer in range(num_layers)]
        self.layers = nn.ModuleList(
            nn.Conv1d(dim, dim, kernel_size, padding=kernel_size // 2 * dilation, dilation=dilation)
            for dilation in dilations
        )
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, dim)` → the same shape and lengths; the padding of the output holds finite junk."""
        for layer in self.layers:
            states = _convolved(layer, sequence.zeroed().features)
            sequence = sequence.with_features(self.dropout(self.activation(states)))  # of no frame too: it counts calls
        return sequence


def _convolved(layer: nn.Module, states: Tensor) -> Tensor:
    if states.shape[1] == 0:  # torch refuses it
        return states
    output: Tensor = layer(rearrange(states, "batch time dim -> batch dim time"))
    return rearrange(output, "batch dim time -> batch time dim")
