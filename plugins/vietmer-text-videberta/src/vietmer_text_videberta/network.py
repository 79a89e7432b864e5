"""The forward pass over the modules of transformers' `DebertaV2Model`, with lengths."""

from typing import Any

import torch
from torch import Tensor, nn

from vietmer_core.pretrained.stack import call, layer_states


def deberta_states(model: Any, ids: Tensor, attended: Tensor, *, keep_all: bool, recomputes: bool) -> list[Tensor]:
    """States `(batch, tokens, dim)`, from what enters the first layer to the last one, or that one alone.

    As `DebertaV2Model.forward` (He et al. 2021 and 2023), which makes the embeddings require gradients where layers are
    to be run again, so that frozen layers keep their activations too, and which fails where no layer is read. The mask
    is always passed: it hides the padding from attention and zeroes it before the convolution that some checkpoints
    have beside their first layer. Relative positions are distances between tokens, so that neither the width nor the
    neighbours move them.

    Args:
        model: transformers' network, without dropout on the embeddings of relative positions: that would be one draw
            for all rows of a batch.
        ids: `(batch, tokens)` int64; the id of the padding in the padding.
        attended: `(batch, tokens)` bool, True at real tokens, and at the first one of a row of none.
        keep_all: Whether all states are returned.
        recomputes: Gradient checkpointing of the layers that are trained.
    """
    network = model.encoder
    mask = attended.long()  # (batch, tokens); transformers subtracts it from 1
    positions = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape).masked_fill(~attended, 0)
    entering = model.embeddings(input_ids=ids, position_ids=positions, mask=mask)  # (batch, tokens, dim)
    pairs = network.get_attention_mask(mask)  # (batch, 1, tokens, tokens)
    distances = network.get_rel_pos(entering)  # (1, tokens, tokens)
    table = network.get_rel_embedding()  # (distances, dim)
    convolved = network.layer[0] if len(network.layer) and network.conv is not None else None

    def step(layer: nn.Module, states: Tensor) -> Tensor:
        output: Tensor = call(layer, states, pairs, None, distances, table, recomputes=recomputes)[0]
        return network.conv(states, output, mask) if layer is convolved else output

    return layer_states(network.layer, entering, step=step, keep_all=keep_all)
