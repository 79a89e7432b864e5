"""The entry of a fusion: frames of any width, brought to one width and one scale."""

from torch import nn


def projection(input_dim: int, dim: int, *, dropout: float | None = None) -> nn.Sequential:
    """Linear → layer norm, and dropout where it is given: `(batch, time, input_dim)` → `(batch, time, dim)`.

    Each frame alone, so that padding reaches no real frame; the padding of the output holds finite junk. The parts are
    numbered as in any `nn.Sequential`: `0` is the linear layer, `1` the norm.

    Args:
        input_dim: Width of the frames.
        dim: Width to bring them to.
        dropout: Probability of dropping a projected number in training; None for no dropout at all.
    """
    dropping = [] if dropout is None else [nn.Dropout(dropout)]
    return nn.Sequential(nn.Linear(input_dim, dim), nn.LayerNorm(dim), *dropping)
