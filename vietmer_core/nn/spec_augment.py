"""SpecAugment that belongs to an utterance: spans drawn inside its own length, from its own seed.

Park et al. 2019, "SpecAugment", in the form of wav2vec 2.0 (Baevski et al. 2020, section 4.2): whole spans of frames,
or of columns, are hidden in training. An utterance drawn alone follows transformers' `_compute_mask_indices` in
distribution; in a padded batch that function lets the padded width decide, this one does not.
"""

import torch
from torch import Tensor

from vietmer_core.nn.draws import fresh_draws, random_bits, uniforms
from vietmer_core.sequence import mask_from_lengths


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
