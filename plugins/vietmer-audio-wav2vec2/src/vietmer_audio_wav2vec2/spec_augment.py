"""SpecAugment of an encoder's frames: spans hidden for each utterance by itself."""

from typing import Final

import torch
from torch import Tensor

from vietmer_audio_wav2vec2.params import SpecAugmentParams
from vietmer_core.nn.draws import fresh_draws
from vietmer_core.nn.spec_augment import feature_mask, span_mask
from vietmer_core.sequence import MaskedSequence

TIME_STREAM: Final = 0
FEATURE_STREAM: Final = 1


def hide_spans(frames: MaskedSequence, params: SpecAugmentParams, *, filler: Tensor | None) -> Tensor:
    """Hide spans of frames `(batch, time, dim)` behind `filler (dim,)`, then spans of columns behind zeros."""
    draws = fresh_draws(len(frames.lengths), device=frames.lengths.device) if frames.draws is None else frames.draws
    states = frames.features
    if params.time_probability:
        assert filler is not None
        hidden = span_mask(
            frames.lengths,
            draws,
            time=states.shape[1],
            probability=params.time_probability,
            span=params.time_span,
            min_spans=params.time_min_spans,
            stream=TIME_STREAM,
        )  # (batch, time)
        states = torch.where(hidden[:, :, None], filler.to(states.dtype), states)
    if params.feature_probability:
        columns = feature_mask(
            draws,
            dim=states.shape[2],
            probability=params.feature_probability,
            span=params.feature_span,
            min_spans=params.feature_min_spans,
            stream=FEATURE_STREAM,
        )  # (batch, dim)
        states = states.masked_fill(columns[:, None, :], 0)
    return states
