"""A bidirectional LSTM that starts both directions in a real frame."""

from typing import Final, final

import torch
from einops import repeat
from torch import Tensor, nn
from torch.func import functional_call

from vietmer_core.sequence import MaskedSequence

HALVES: Final = (torch.float16, torch.bfloat16)


@final
class BiLSTM(nn.Module):
    """A bidirectional LSTM over the real frames of each row (Schuster & Paliwal 1997; Hochreiter & Schmidhuber 1997).

    The backward direction is a forward LSTM over the row flipped in time by a gather, over its own frames, and its
    output gathered back: the numbers of packed sequences, without their cost. It computes in float32 under autocast
    and with weights in half precision, since few processors have an LSTM in half precision; float64 stays float64.

    Layers are as in `nn.LSTM(bidirectional=True)`: each reads both directions of the one below.

    Args:
        input_dim: Width of the frames.
        hidden_dim: Width of each direction.
        num_layers: At least 1.
        dropout: Probability of dropping a number between two layers in training.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        self.output_dim = 2 * hidden_dim
        input_dims = [input_dim, *[self.output_dim] * (num_layers - 1)]
        self.forth = nn.ModuleList(nn.LSTM(dim, hidden_dim, batch_first=True) for dim in input_dims)
        self.back = nn.ModuleList(nn.LSTM(dim, hidden_dim, batch_first=True) for dim in input_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, time, input_dim)` → `(batch, time, output_dim)` of the same lengths and dtype.

        Zeros fill the padding; a row of length 0 gives zeros and no gradient.
        """
        given = sequence.zeroed().features
        states = self._read(given, _flipped_order(sequence))  # (batch, time, output_dim)
        return sequence.with_features(states.to(given.dtype)).zeroed()

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch does not type it; it would unroll every frame
    def _read(self, states: Tensor, order: Tensor) -> Tensor:
        """`(batch, time, input_dim)` and `order (batch, time)` → `(batch, time, output_dim)`."""
        for number, (forth, back) in enumerate(zip(self.forth, self.back, strict=True)):
            if number:
                states = self.dropout(states)
            backward = _taken(_run(back, _taken(states, order)), order)  # (batch, time, hidden_dim)
            states = torch.cat([_run(forth, states), backward], dim=-1)  # (batch, time, output_dim)
        return states


def _flipped_order(sequence: MaskedSequence) -> Tensor:
    """`(batch, time)`: where the frame at each place comes from when a row is flipped; it is its own inverse."""
    position = torch.arange(sequence.features.shape[1], device=sequence.lengths.device)[None, :]  # (1, time)
    return torch.where(sequence.mask, sequence.lengths[:, None] - 1 - position, position)  # (batch, time)


def _taken(states: Tensor, order: Tensor) -> Tensor:
    return states.gather(1, repeat(order, "batch time -> batch time dim", dim=states.shape[2]))


def _run(lstm: nn.Module, states: Tensor) -> Tensor:
    """`(batch, time, dim)` → the output of one direction `(batch, time, hidden_dim)`, in float32 at least."""
    assert isinstance(lstm, nn.LSTM)
    if states.shape[0] == 0 or states.shape[1] == 0:  # torch refuses both
        return states.new_zeros(*states.shape[:2], lstm.hidden_size)
    own = next(lstm.parameters()).dtype
    output: Tensor
    with torch.autocast(states.device.type, enabled=False):
        if own in HALVES:
            weights = {name: weight.float() for name, weight in lstm.named_parameters()}
            output = functional_call(lstm, weights, (states.float(),))[0]
        else:
            output = lstm(states.to(own))[0]
    return output
