"""The Transformer of wav2vec 2.0, HuBERT and WavLM over real frames only, layer by layer."""

from typing import Any

from einops import rearrange
from torch import Tensor
from torch.nn.functional import batch_norm

from vietmer_audio_wav2vec2.extractor import Run, call
from vietmer_core.sequence import mask_from_lengths


def layer_states(
    encoder: Any, frames: Tensor, lengths: Tensor, *, is_stable: bool, keep_all: bool, run: Run = call
) -> list[Tensor]:
    """The states of the layers, `(batch, time, dim)` each, numbered as transformers numbers them.

    The first is what enters the first layer, the last one, where it is that of a pre-norm ("stable") network's
    uppermost layer, stands behind the final norm. Padding is undefined.

    Args:
        encoder: transformers' encoder.
        frames: `(batch, time, dim)`, projected; any finite padding.
        lengths: `(batch,)` int64, each from 1: a row of no frames is given one, which the caller drops.
        is_stable: Whether the norms stand before attention and feed-forward.
        keep_all: Whether all states are returned, not the last alone.
        run: Calls a layer.
    """
    mask = mask_from_lengths(lengths, frames.shape[1])  # (batch, time)
    states = _zeroed(frames, mask)
    states = states + _positions(encoder.pos_conv_embed, states, mask)
    if not is_stable:
        states = encoder.layer_norm(states)
    states = encoder.dropout(states)
    keys = mask[:, None, None, :]  # (batch, 1, 1, key)
    kept, bias = [states], None
    for layer in encoder.layers:
        output = run(layer, states, keys) if bias is None else run(layer, states, keys, bias)
        states, bias = output if isinstance(output, tuple) else (output, None)
        kept = [*kept, states] if keep_all else [states]
    if is_stable:
        kept[-1] = encoder.layer_norm(kept[-1])
    return kept


def _zeroed(frames: Tensor, mask: Tensor) -> Tensor:
    return frames.masked_fill(~mask[:, :, None], 0)


def _positions(embedding: Any, states: Tensor, mask: Tensor) -> Tensor:
    """The positional convolution, which reads zeros beyond each row's own frames.

    The batch norm that some HuBERT checkpoints have before it is taken with its stored statistics, in training too:
    those of a batch would tie an utterance to its neighbours. It makes zeros something else, which is zeroed again.
    """
    norm = getattr(embedding, "batch_norm", None)
    if norm is not None:
        columns = rearrange(states, "batch time dim -> batch dim time")
        columns = batch_norm(columns, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        states = _zeroed(rearrange(columns, "batch dim time -> batch time dim"), mask)
    read: Tensor = embedding.conv(rearrange(states, "batch time dim -> batch dim time"))
    positions: Tensor = embedding.activation(embedding.padding(read))  # (batch, dim, time)
    return rearrange(positions, "batch dim time -> batch time dim")
