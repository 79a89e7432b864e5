"""SpecAugment that belongs to an utterance: spans drawn inside its own length, from its own seed.

Park et al. 2019, "SpecAugment", in the form of wav2vec 2.0 (Baevski et al. 2020, section 4.2): whole spans of frames,
or of columns, are hidden in training. An utterance drawn alone follows transformers' `_compute_mask_indices` in
distribution; in a padded batch that function lets the padded width decide, this one does not.
"""

from typing import Final

import torch
from torch import Tensor

from vietmer_core.nn.draws import fresh_draws, random_bits, uniforms
from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.sequence import MaskedSequence, mask_from_lengths

TIME_STREAM: Final = 0
FEATURE_STREAM: Final = 1


def _num_spans(lengths: Tensor, rounding: Tensor, *, probability: float, span: int, min_spans: int) -> Tensor:
    """How many spans each row gets, `(batch,)` int64; never more than it can hold."""
    count = (lengths.double() * probability / span + rounding).long().clamp(min=min_spans)  # (batch,)
    fitting = torch.where(count * span > lengths, lengths // span, count)
    return torch.minimum(fitting, (lengths - span + 1).clamp(min=0))


def span_mask(
    lengths: Tensor,
    draws: Tensor | None,
    *,
    time: int,
    probability: float,
    span: int,
    min_spans: int = 0,
    stream: int,
) -> Tensor:
    """`(batch, time)` bool, True at the frames to hide; never in the padding.

    A row of n frames gets ⌊probability · n / span + ε⌋ spans, ε uniform in [0, 1), at least `min_spans` and no more
    than n / span, or none where it is shorter than a span. They start at different frames and may overlap. What is
    drawn for a row depends on its seed and its length alone.

    Args:
        lengths: `(batch,)` int64 frames of each row.
        draws: `(batch,)` int64 seed of each row (`MaskedSequence.draws`); None draws seeds from torch's generator.
        time: Padded width.
        probability: Share of the frames to hide, were there no overlaps, 0 to 1.
        span: Frames of a span, at least 1.
        min_spans: Spans that a row gets at least, if it can hold them.
        stream: Which numbers of the row, as in `uniforms`.

    Raises:
        ValueError: if `probability` or `span` is out of range.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"`probability` must lie between 0 and 1, but is {probability} instead.")
    if span < 1:
        raise ValueError(f"`span` must be at least 1, but is {span} instead.")
    if draws is None:
        draws = fresh_draws(len(lengths), device=lengths.device)
    rounding = uniforms(draws, stream=2 * stream, shape=()).double()  # (batch,)
    count = _num_spans(lengths, rounding, probability=probability, span=span, min_spans=min_spans)
    keys = random_bits(draws, stream=2 * stream + 1, shape=(time,)).long()  # (batch, time)
    can_start = mask_from_lengths(lengths - span + 1, time)  # (batch, time)
    order = keys.masked_fill(~can_start, 2**31).argsort(dim=1, stable=True)  # (batch, time), the lowest keys first
    taken = mask_from_lengths(count, time)  # (batch, time), of places in that order
    starts = torch.zeros_like(taken).scatter(1, order, taken)  # (batch, time)
    begun = starts.long().cumsum(dim=1)  # (batch, time), spans begun up to a frame
    ended = torch.nn.functional.pad(begun, (span, 0))[:, :time]  # (batch, time), spans that ended before it
    return begun > ended


def feature_mask(draws: Tensor, *, dim: int, probability: float, span: int, min_spans: int = 0, stream: int) -> Tensor:
    """`(batch, dim)` bool, True at the columns to hide: spans of columns, drawn as those of `span_mask`.

    `draws (batch,)` int64; `fresh_draws` gives seeds where the sequence has none.
    """
    lengths = torch.full_like(draws, dim)
    return span_mask(lengths, draws, time=dim, probability=probability, span=span, min_spans=min_spans, stream=stream)


def hide_spans(
    sequence: MaskedSequence,
    params: SpecAugmentParams,
    *,
    frame_filler: Tensor | None = None,
    column_filler: Tensor | None = None,
) -> Tensor:
    """Features `(batch, time, dim)` with spans of frames, then spans of columns, hidden; same shape.

    Each row draws from its own seed; a sequence without draws takes seeds from torch's global generator.

    Args:
        sequence: Right-padded; a component that pads its rows itself gives the lengths before that.
        params: How much is hidden.
        frame_filler: What a hidden frame holds, broadcast to the features; zeros by default, as transformers has it.
        column_filler: What a hidden column holds, likewise.
    """
    states, lengths = sequence.features, sequence.lengths
    draws = fresh_draws(len(lengths), device=lengths.device) if sequence.draws is None else sequence.draws
    if params.time_probability:
        frames = span_mask(
            lengths,
            draws,
            time=states.shape[1],
            probability=params.time_probability,
            span=params.time_span,
            min_spans=params.time_min_spans,
            stream=TIME_STREAM,
        )  # (batch, time)
        states = _filled(states, frames[:, :, None], frame_filler)
    if params.feature_probability:
        columns = feature_mask(
            draws,
            dim=states.shape[2],
            probability=params.feature_probability,
            span=params.feature_span,
            min_spans=params.feature_min_spans,
            stream=FEATURE_STREAM,
        )  # (batch, dim)
        states = _filled(states, columns[:, None, :], column_filler)
    return states


def _filled(states: Tensor, hidden: Tensor, filler: Tensor | None) -> Tensor:
    return states.masked_fill(hidden, 0) if filler is None else torch.where(hidden, filler.to(states.dtype), states)
