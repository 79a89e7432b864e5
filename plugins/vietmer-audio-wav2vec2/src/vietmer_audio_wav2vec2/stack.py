"""The Transformer of wav2vec 2.0, HuBERT and WavLM over real frames only, layer by layer."""

from typing import Any

from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from vietmer_core.pretrained.stack import call, layer_states
from vietmer_core.sequence import mask_from_lengths


def transformer_states(
    encoder: Any, frames: Tensor, lengths: Tensor, *, is_stable: bool, keep_all: bool, recomputes: bool = False
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
        recomputes: Gradient checkpointing of the layers that are trained.
    """
    mask = mask_from_lengths(lengths, frames.shape[1])  # (batch, time)
    states = _zeroed(frames, mask)
    states = states + _positions(encoder.pos_conv_embed, states, mask)
    if not is_stable:
        states = encoder.layer_norm(states)
    states = encoder.dropout(states)
    keys = mask[:, None, None, :]  # (batch, 1, 1, key)
    bias: tuple[Tensor, ...] = ()  # of WavLM's distances, which the first layer gives to the others

    def step(layer: nn.Module, states: Tensor) -> Tensor:
        nonlocal bias
        output = call(layer, states, keys, *bias, recomputes=recomputes)
        if not isinstance(output, tuple):
            return output  # type: ignore[no-any-return]  # a tensor
        states, *others = output
        bias = tuple(others)
        return states

    kept = layer_states(encoder.layers, states, step=step, keep_all=keep_all)
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
