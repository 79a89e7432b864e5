"""The forward pass over the modules of transformers' `RobertaModel`, with lengths."""

from typing import Any

import torch
from torch import Tensor, nn

from vietmer_core.pretrained.stack import call, layer_states


def roberta_states(model: Any, ids: Tensor, attended: Tensor, *, keep_all: bool, recomputes: bool) -> list[Tensor]:
    """States `(batch, tokens, dim)`, from what enters the first layer to the last one, or that one alone.

    As `RobertaModel.forward` (Liu et al. 2019), which makes the embeddings require gradients where layers are to be run
    again, so that frozen layers keep their activations too, and which breaks the graph of `torch.compile` to hand out
    states. Positions are counted from the utterance's first token by the lengths, not by the ids. The mask is always
    passed, also where nothing is padded, as `(batch, 1, 1, tokens)`: transformers drops a mask without padding, so that
    on a GPU the kernel would depend on the neighbours.

    Args:
        model: transformers' network.
        ids: `(batch, tokens)` int64; the id of the padding in the padding.
        attended: `(batch, tokens)` bool, True at real tokens, and at the first one of a row of none.
        keep_all: Whether all states are returned.
        recomputes: Gradient checkpointing of the layers that are trained.
    """
    pad_id = int(model.config.pad_token_id)
    positions = torch.arange(ids.shape[1], device=ids.device) + pad_id + 1  # (tokens,)
    positions = positions.expand(ids.shape).masked_fill(~attended, pad_id)  # (batch, tokens)
    mask = attended[:, None, None, :]  # (batch, 1, 1, tokens)

    def step(layer: nn.Module, states: Tensor) -> Tensor:
        output: Tensor = call(layer, states, mask, recomputes=recomputes)
        return output

    entering = model.embeddings(input_ids=ids, position_ids=positions)  # (batch, tokens, dim)
    return layer_states(model.encoder.layer, entering, step=step, keep_all=keep_all)
