"""The forward pass over the modules of transformers' `WhisperEncoder`, with lengths."""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import dropout, gelu
from torch.utils.checkpoint import checkpoint

from vietmer_core.nn.dropout import checkpoint_contexts
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.sequence import mask_from_lengths


def frame_lengths(mel_lengths: Tensor) -> Tensor:
    """Frames of the encoder for mel frames, `(batch,)` int64: the half, rounded up."""
    return torch.div(mel_lengths + 1, 2, rounding_mode="floor")


def encode(model: Any, mels: Tensor, lengths: Tensor | None, *, mix: LayerMix, recomputes: bool) -> Tensor:
    """Mel frames `(rows, mel frames, mels)` → frames `(rows, frames, dim)`, undefined in the padding.

    What is not a row's own is zeroed before each convolution, and is no key of any attention, so that each row is
    encoded as if it were alone.

    Args:
        model: transformers' `WhisperEncoder`.
        mels: Zeros in the padding.
        lengths: `(rows,)` int64 real mel frames, at least 1; None where all are.
        mix: Which layer is read.
        recomputes: Gradient checkpointing of the layers that are trained.
    """
    states = _below_the_layers(model, mels, lengths)  # (rows, frames, dim)
    key_mask = None
    if lengths is not None:
        key_mask = mask_from_lengths(frame_lengths(lengths), states.shape[1])[:, None, None, :]  # (rows, 1, 1, key)
    kept = [states]
    for layer in model.layers:
        if recomputes and layer.training and torch.is_grad_enabled():
            states = checkpoint(layer, states, key_mask, use_reentrant=False, context_fn=checkpoint_contexts)
        else:
            states = layer(states, key_mask)
        kept = [*kept, states] if mix.weights is not None else [states]
    kept[-1] = model.layer_norm(states)
    return mix(kept)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped


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
