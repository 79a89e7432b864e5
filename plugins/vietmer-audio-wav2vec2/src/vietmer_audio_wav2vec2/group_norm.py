"""Group norm over time of one channel a group, with the statistics of each row's own frames.

`wav2vec2-base` and its kin normalise the first convolution's output over the whole time axis (Wu and He 2018 with as
many groups as channels). Over a padded axis the statistics would hold the padding.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vietmer_core.sequence import mask_from_lengths


class Moments(NamedTuple):
    """The first moments of each row's frames, at least in float32; without frames they are any finite number.

    A tuple, since attrs classes cannot be made inside a compiled region.

    Attributes:
        frames: How many, `(batch, 1)`.
        mean: `(batch, channels)`.
        squares: Sum of the squared deviations, `(batch, channels)`.
    """

    frames: Tensor
    mean: Tensor
    squares: Tensor


def moments_of(states: Tensor, counts: Tensor) -> Moments:
    """The moments of the first `counts[row]` frames of `(batch, channels, frames)`.

    A slice for each row, which costs a fraction of a mask over all rows; in a compiled region, where each length would
    be compiled anew, the mask.
    """
    dtype = torch.promote_types(states.dtype, torch.float32)
    count = counts[:, None].to(dtype)  # (batch, 1)
    if torch.compiler.is_compiling():
        return masked_moments(states.to(dtype), counts)
    means, squares = [], []
    for row, own_frames in zip(states, counts.tolist(), strict=True):
        own = row[:, : max(own_frames, 1)].to(dtype)  # (channels, own frames)
        mean = own.mean(dim=1)  # (channels,)
        means.append(mean)
        squares.append((own - mean[:, None]).square().sum(dim=1))  # a sixth of the time of torch.var_mean on a CPU
    return Moments(frames=count, mean=torch.stack(means), squares=torch.stack(squares))


def masked_moments(states: Tensor, counts: Tensor) -> Moments:
    """The same with a mask over all rows, in the dtype of the states."""
    count = counts[:, None].to(states.dtype)  # (batch, 1)
    padding = ~mask_from_lengths(counts, states.shape[2])[:, None, :]  # (batch, 1, frames)
    mean = states.masked_fill(padding, 0).sum(dim=2) / count.clamp(min=1)  # (batch, channels)
    deviations = (states - mean[:, :, None]).masked_fill(padding, 0)  # (batch, channels, frames)
    return Moments(frames=count, mean=mean, squares=deviations.square().sum(dim=2))


def merged(pieces: Iterable[Moments]) -> Moments:
    """The moments of each row from those of its pieces in time (Chan, Golub and LeVeque 1983)."""
    first, *others = pieces
    count, mean, squares = first
    for piece in others:
        total = count + piece.frames  # (batch, 1)
        share = piece.frames / total.clamp(min=1)  # (batch, 1)
        step = piece.mean - mean  # (batch, channels)
        mean = mean + step * share
        squares = squares + piece.squares + step.square() * (count * share)
        count = total
    return Moments(frames=count, mean=mean, squares=squares)


def normalise(states: Tensor, norm: nn.GroupNorm, rows: Moments) -> Tensor:
    """Group norm of `(batch, channels, frames)` with these moments; at least in float32, in the dtype of the states."""
    variance = rows.squares / rows.frames.clamp(min=1)  # (batch, channels)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)  # (batch, channels)
    shift = norm.bias - rows.mean * scale  # (batch, channels)
    return torch.addcmul(shift[:, :, None], states.to(scale.dtype), scale[:, :, None]).to(states.dtype)
