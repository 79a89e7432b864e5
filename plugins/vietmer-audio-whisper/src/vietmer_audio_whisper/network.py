"""The forward pass over the modules of transformers' `WhisperEncoder`, with lengths."""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu

from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.stack import call, layer_states
from vietmer_core.sequence import mask_from_lengths


def frame_lengths(mel_lengths: Tensor) -> Tensor:
    """Frames of the encoder for mel frames, `(batch,)` int64: the half, rounded up."""
    return torch.div(mel_lengths + 1, 2, rounding_mode="floor")


def encode(model: Any, mels: Tensor, lengths: Tensor | None, *, mix: LayerMix, recomputes: bool) -> Tensor:
    """Mel frames `(rows, mel frames, mels)` → states `(rows, frames, states_dim)`, undefined in the padding.

    What is not a row's own is zeroed before each convolution, and is no key of any attention, so that each row is
    encoded as if it were alone.

    Args:
        model: transformers' `WhisperEncoder`.
        mels: Zeros in the padding.
        lengths: `(rows,)` int64 real mel frames, at least 1; None where all are.
        mix: Which layers are read; their states stand side by side.
        recomputes: Gradient checkpointing of the layers that are trained.
    """
    entering = _below_the_layers(model, mels, lengths)  # (rows, frames, dim)
    key_mask = None
    if lengths is not None:
        key_mask = mask_from_lengths(frame_lengths(lengths), entering.shape[1])[:, None, None, :]  # (rows, 1, 1, key)

    def step(layer: nn.Module, states: Tensor) -> Tensor:
        output: Tensor = call(layer, states, key_mask, recomputes=recomputes)
        return output

    kept = layer_states(model.layers, entering, step=step, keep_all=mix.reads_all)
    kept[-1] = model.layer_norm(kept[-1])
    return mix.side_by_side(kept)


def _below_the_layers(model: Any, mels: Tensor, lengths: Tensor | None) -> Tensor:
    """Two convolutions and the positions, counted from the first frame of the row."""
    bands = rearrange(mels, "rows frames mels -> rows mels frames").contiguous()
    states = gelu(model.conv1(bands))  # (rows, dim, mel frames)
    if lengths is not None:
        real = mask_from_lengths(lengths, states.shape[2])[:, None, :]  # (rows, 1, mel frames)
        states = states.masked_fill(~real, 0)  # else the second convolution reads what the bias made of the padding
    states = gelu(model.conv2(states))  # (rows, dim, frames)
    frames = rearrange(states, "rows dim frames -> rows frames dim")
    placed = frames + model.embed_positions.weight[: frames.shape[1]]
    return dropout(placed, p=model.dropout, training=model.training)
