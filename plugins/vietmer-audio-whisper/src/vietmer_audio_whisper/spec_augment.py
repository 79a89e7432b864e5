"""Spans of mel frames and mel bands, hidden in training."""

from typing import Final

from torch import Tensor

from vietmer_audio_whisper.params import SpecAugmentParams
from vietmer_core.nn.draws import fresh_draws
from vietmer_core.nn.spec_augment import feature_mask, span_mask

TIME_STREAM: Final = 0
FEATURE_STREAM: Final = 1


def hide_spans(mels: Tensor, lengths: Tensor, draws: Tensor | None, params: SpecAugmentParams) -> Tensor:
    """Mel frames `(batch, mel frames, mels)` with spans set to 0, as transformers sets them; same shape.

    Args:
        mels: Right-padded.
        lengths: `(batch,)` int64 real mel frames.
        draws: `(batch,)` int64 seed of each utterance; None draws seeds from torch's generator.
        params: How much is hidden.
    """
    draws = fresh_draws(len(lengths), device=lengths.device) if draws is None else draws
    if params.time_probability:
        frames = span_mask(
            lengths,
            draws,
            time=mels.shape[1],
            probability=params.time_probability,
            span=params.time_span,
            min_spans=params.time_min_spans,
            stream=TIME_STREAM,
        )  # (batch, mel frames)
        mels = mels.masked_fill(frames[:, :, None], 0)
    if params.feature_probability:
        bands = feature_mask(
            draws,
            dim=mels.shape[2],
            probability=params.feature_probability,
            span=params.feature_span,
            min_spans=params.feature_min_spans,
            stream=FEATURE_STREAM,
        )  # (batch, mels)
        mels = mels.masked_fill(bands[:, None, :], 0)
    return mels
