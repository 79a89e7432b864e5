"""Which layer of a pretrained encoder is read: the last, one by number, or a learned weighted sum of all."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm


@final
class LayerMix(nn.Module):
    """The output of an encoder from the states of its layers.

    Args:
        choice: `last`; a number n, 0 for what enters the first layer; or `weighted_sum`: softmax(w) over all states,
            w learned from 0 (Peters et al. 2018, ELMo, equation 1 without its scale; Yang et al. 2021, SUPERB).
        num_layers: Layers of the encoder; there are `num_layers + 1` states.
        normalise: Whether each frame of each state is brought to mean 0 and variance 1 over its width first, without
            learned numbers (Ba et al. 2016): the states of lower layers differ in offset and size.

    Raises:
        ValueError: if the encoder has no such layer.
    """

    def __init__(self, *, choice: str | int, num_layers: int, normalise: bool = False) -> None:
        super().__init__()
        if isinstance(choice, int) and choice > num_layers:
            raise ValueError(
                f"`layers` must be a layer's number from 0 to {num_layers}, `last` or `weighted_sum`, but is {choice} "
                "instead."
            )
        self.choice = choice
        self.num_layers = num_layers
        self.normalise = normalise
        self.weights = nn.Parameter(torch.zeros(num_layers + 1)) if choice == "weighted_sum" else None

    @property
    def layers_used(self) -> int:
        """Layers that must be computed; those above may be left out."""
        return self.choice if isinstance(self.choice, int) else self.num_layers

    @property
    def reads_all(self) -> bool:
        """Whether the states of all layers are read, not those of one."""
        return self.weights is not None

    def states_dim(self, dim: int) -> int:
        """Width of what `side_by_side` gives of states of width `dim`."""
        return (self.num_layers + 1) * dim if self.reads_all else dim

    def side_by_side(self, states: Sequence[Tensor]) -> Tensor:
        """The states that are read, from what enters the first layer to the last one used, as one tensor.

        `(batch, time, dim)` each → `(batch, time, states_dim)`, layer after layer along the last axis. Nothing of it is
        learned, so that it may be kept where the encoder is frozen.
        """
        return torch.cat(tuple(states), dim=-1) if self.reads_all else states[-1]

    def forward(self, states: Tensor) -> Tensor:
        """Mix what `side_by_side` gave: `(batch, time, states_dim)` → `(batch, time, dim)`; zeros stay zeros."""
        if self.weights is None:
            return self._prepared(states)
        first, *others = states.chunk(self.num_layers + 1, dim=-1)
        shares = self.weights.softmax(dim=0)  # (layers + 1,)
        total = shares[0] * self._prepared(first)
        for share, state in zip(shares[1:], others, strict=True):
            total = total + share * self._prepared(state)
        return total  # (batch, time, dim)

    def _prepared(self, state: Tensor) -> Tensor:
        return layer_norm(state, state.shape[-1:]) if self.normalise else state
