"""Embeddings at the patches of an utterance → embeddings at its frames, by linear interpolation in time."""

from typing import final

import attrs
import torch
from torch import Tensor
from torch.nn.functional import pad

from vietmer_core.sequence import mask_from_lengths


@final
@attrs.frozen(kw_only=True)
class TimeAxis:
    """The centres of equally spaced spans, in samples from the start of the utterance.

    Span i covers samples `i * hop` to `i * hop + span`; its centre is `i * hop + span / 2`.
    """

    hop_samples: int
    span_samples: int


def interpolate(
    values: Tensor, counts: Tensor, *, lengths: Tensor, time: int, source: TimeAxis, target: TimeAxis
) -> Tensor:
    """Values given at the source's centres, read at the target's: `(patches, dim)` → `(batch, time, dim)`.

    Each row is interpolated between its own values alone, linearly in time: a frame whose centre lies between the
    centres of patches p and p + 1 gets their mean, weighted by nearness. Before the first centre and behind the last
    one the value is constant, that of the first or last patch. The centre of a patch completed with silence is that
    of the whole patch, so that a patch that holds little of the utterance weighs little. Differentiable with respect
    to `values`; zeros behind `lengths` and in rows without values.

    Args:
        values: The values of all rows, one row after the other, without padding.
        counts: `(batch,)` int64, values of each row.
        lengths: `(batch,)` int64, frames of each row.
        time: Width of the result.
        source: Centres of the values.
        target: Centres of the frames.
    """
    frames = torch.arange(time, device=values.device)
    twice_late = 2 * target.hop_samples * frames + target.span_samples - source.span_samples  # in half samples
    last = (counts - 1).clamp(min=0)[:, None]  # (batch, 1)
    step = 2 * source.hop_samples
    reached = torch.minimum(twice_late.clamp(min=0)[None, :], last * step)  # (batch, time)
    left = torch.div(reached, step, rounding_mode="floor")  # (batch, time)
    share = ((reached - left * step).to(values.dtype) / step)[:, :, None]  # (batch, time, 1)
    real = mask_from_lengths(lengths, time) & (counts > 0)[:, None]  # (batch, time)
    place = torch.where(real, left + (counts.cumsum(0) - counts)[:, None], len(values))
    neighbour = torch.where(real & (left < last), place + 1, place)
    with_zeros = pad(values, (0, 0, 0, 1))  # (patches + 1, dim): the last row stands for what is absent
    return with_zeros[place] * (1 - share) + with_zeros[neighbour] * share  # (batch, time, dim)
