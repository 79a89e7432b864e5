"""The classifier."""

from collections.abc import Sequence
from itertools import pairwise
from typing import final

from torch import Tensor, nn


@final
class MLPHead(nn.Module):
    """A multilayer perceptron: linear → LeakyReLU → dropout for each hidden width, then a linear layer to the logits.

    Args:
        dim: Width of the embedding.
        num_classes: Size of the label space.
        hidden_dims: Widths of the hidden layers; none makes a linear classifier.
        dropout: Probability of dropping a hidden unit in training.
    """

    def __init__(self, *, dim: int, num_classes: int, hidden_dims: Sequence[int], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise([dim, *hidden_dims]):
            layers += [nn.Linear(width_in, width_out), nn.LeakyReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear([dim, *hidden_dims][-1], num_classes))

    def forward(self, embedding: Tensor) -> Tensor:
        """`(batch, dim)` → logits `(batch, classes)`."""
        logits: Tensor = self.layers(embedding)
        return logits
