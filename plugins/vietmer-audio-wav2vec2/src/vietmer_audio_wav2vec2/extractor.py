"""Samples → frames: the convolutional extractor, in time chunks of bounded memory where nothing of it is trained."""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from vietmer_audio_wav2vec2.group_norm import Moments, merged, moments_of, normalise
from vietmer_audio_wav2vec2.lengths import ConvChain, spans
from vietmer_core.pretrained.stack import call


def extract(
    layers: nn.ModuleList,
    samples: Tensor,
    lengths: Tensor,
    *,
    chain: ConvChain,
    chunk_frames: int | None,
    recomputes: bool = False,
) -> Tensor:
    """The frames of a zero-padded batch of waveforms: `(batch, samples)` → `(batch, frames, channels)`.

    A valid convolution reads no padding for a real frame. Group norm takes its statistics from each row's own frames
    of the first layer. Where no gradient is wanted the frames are computed `chunk_frames // batch` at a time, each
    chunk from exactly the samples that it reads, so that the result is that of all frames at once.

    Args:
        layers: Convolutional layers of transformers' feature encoder.
        samples: Zeros in the padding; at least one frame long.
        lengths: `(batch,)` int64 samples of each row.
        chain: Kernels and strides of the layers.
        chunk_frames: Most frames computed at once, all rows together; None is no limit.
        recomputes: Gradient checkpointing of the layers that are trained.
    """
    total = chain.num_frames(samples.shape[1])
    each = total if chunk_frames is None else max(1, chunk_frames // len(samples))
    if each >= total or _wants_gradient(layers, samples):
        return _whole(layers, samples, chain.first.lengths(lengths), recomputes=recomputes)
    chunked: Tensor = _in_chunks(layers, samples, lengths, chain, each)
    return chunked  # (batch, frames, channels)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # a graph for each number of chunks; torch does not annotate
def _in_chunks(layers: nn.ModuleList, samples: Tensor, lengths: Tensor, chain: ConvChain, each: int) -> Tensor:
    total = chain.num_frames(samples.shape[1])
    first: Any = layers[0]
    moments = _moments_in_chunks(first, samples, lengths, chain, each) if _is_grouped(first) else None
    chunks = []
    for start, stop in spans(total, each):
        piece = samples[:, None, chain.samples_of(start, stop)]  # (batch, 1, fewer samples)
        states = first(piece) if moments is None else _grouped(first, first.conv(piece), moments)
        chunks.append(_rest(layers, states, recomputes=False))
    return torch.cat(chunks, dim=1)  # (batch, frames, channels)


def _moments_in_chunks(layer: Any, samples: Tensor, lengths: Tensor, chain: ConvChain, each: int) -> Moments:
    """The moments of each row's frames of the first layer, computed for `each` frames of the extractor at a time."""
    first = chain.first
    counts = first.lengths(lengths)  # (batch,)
    pieces = []
    for start, stop in spans(first.num_frames(samples.shape[1]), each * chain.hop // first.hop):
        states = layer.conv(samples[:, None, first.samples_of(start, stop)])  # (batch, channels, fewer frames)
        pieces.append(moments_of(states, (counts - start).clamp(min=0, max=stop - start)))
    return merged(pieces)


def _grouped(layer: Any, states: Tensor, moments: Moments) -> Tensor:
    output: Tensor = layer.activation(normalise(states, layer.layer_norm, moments))
    return output  # (batch, channels, frames)


def _is_grouped(layer: Any) -> bool:
    return isinstance(getattr(layer, "layer_norm", None), nn.GroupNorm)


def _wants_gradient(layers: nn.ModuleList, samples: Tensor) -> bool:
    trained = samples.requires_grad or any(parameter.requires_grad for parameter in layers.parameters())
    return torch.is_grad_enabled() and trained


def _whole(layers: nn.ModuleList, samples: Tensor, counts: Tensor, *, recomputes: bool) -> Tensor:
    first: Any = layers[0]

    def grouped(waveforms: Tensor) -> Tensor:
        states = first.conv(waveforms)  # (batch, channels, frames)
        return _grouped(first, states, moments_of(states, counts))

    begin = grouped if _is_grouped(first) else first
    states = call(begin, samples[:, None], recomputes=recomputes and first.training)
    return _rest(layers, states, recomputes=recomputes)


def _rest(layers: nn.ModuleList, states: Tensor, *, recomputes: bool) -> Tensor:
    for layer in layers[1:]:
        states = call(layer, states, recomputes=recomputes)  # (batch, channels, fewer frames)
    return rearrange(states, "batch channels frames -> batch frames channels")
