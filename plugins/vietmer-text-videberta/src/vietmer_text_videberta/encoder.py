"""The encoder: a DeBERTa-v2 that sees each transcript alone, whatever stands in the padding."""

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vietmer_core.nn.dropout import checkpoint_contexts
from vietmer_core.pretrained.backbone import PretrainedBackbone
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.sequence import MaskedSequence, mask_from_lengths


@final
class VidebertaEncoder(nn.Module):
    """Ids `(batch, tokens, 1)` → `(batch, tokens, dim)` by a DeBERTa-v2 (Tran et al. 2023; He et al. 2021 and 2023).

    Ids in the padding are never looked up, and the mask is always passed: it hides the padding from attention and
    zeroes it before the convolution that some checkpoints have beside their first layer. Relative positions are
    distances between tokens, so that neither the width nor the neighbours move them. Zeros in the padding, and for a
    row of length 0.

    Args:
        backbone: Holds the `DebertaV2Model`, without the layers that `mix` does not use, and without dropout on the
            embeddings of relative positions: that would be one draw for all rows of a batch.
        mix: Which layer is read.
        max_tokens: Most tokens that the network was made for.
        recomputes: Whether trained layers are run again in the backward pass rather than keep their activations.

    Attributes:
        output_dim: Width of the network.
    """

    def __init__(self, *, backbone: PretrainedBackbone, mix: LayerMix, max_tokens: int, recomputes: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.mix = mix
        config: Any = backbone.model.config
        self.output_dim = int(config.hidden_size)
        self.pad_id = int(config.pad_token_id)
        self.max_tokens = max_tokens
        self.recomputes = recomputes

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Lengths out for lengths in: the same."""
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, tokens, 1)` int64 → `(batch, tokens, dim)`.

        Raises:
            ValueError: if a row is longer than the network was made for.
        """
        width = sequence.features.shape[1]
        if width == 0:
            return self._nothing(sequence)
        if width > self.max_tokens:
            self._require_short(sequence.lengths)
        ids = sequence.features[..., 0].masked_fill(~sequence.mask, self.pad_id)  # (batch, tokens)
        attended = mask_from_lengths(sequence.lengths.clamp(min=1), width)  # (batch, tokens)
        return sequence.with_features(self.mix(self._states(ids, attended))).zeroed()  # (batch, tokens, dim)

    def _states(self, ids: Tensor, attended: Tensor) -> list[Tensor]:
        """States `(batch, tokens, dim)` from what enters the first layer to the last one.

        As `DebertaV2Model.forward`, which makes the embeddings require gradients where layers are to be run again, so
        that frozen layers keep their activations too, and which fails where no layer is read.
        """
        model: Any = self.backbone.model
        network = model.encoder
        mask = attended.long()  # (batch, tokens); transformers subtracts it from 1
        positions = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape).masked_fill(~attended, 0)
        states = [model.embeddings(input_ids=ids, position_ids=positions, mask=mask)]
        pairs = network.get_attention_mask(mask)  # (batch, 1, tokens, tokens)
        distances = network.get_rel_pos(states[0])  # (1, tokens, tokens)
        table = network.get_rel_embedding()  # (distances, dim)
        for number, layer in enumerate(network.layer):
            hidden, _ = self._run(layer, states[-1], pairs, None, distances, table)
            convolves = number == 0 and network.conv is not None
            states.append(network.conv(states[0], hidden, mask) if convolves else hidden)
        return states

    def _run(self, layer: nn.Module, *arguments: Tensor | None) -> Any:
        """A layer, which is run again in the backward pass where its activations are not to be kept."""
        if not (self.recomputes and layer.training and torch.is_grad_enabled()):
            return layer(*arguments)
        if torch.compiler.is_compiling():  # the compiler itself repeats the draws
            return checkpoint(layer, *arguments, use_reentrant=False)
        return checkpoint(layer, *arguments, use_reentrant=False, context_fn=checkpoint_contexts)

    def _nothing(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, 0, dim)`: every transcript is empty."""
        model: Any = self.backbone.model
        weight: Tensor = model.get_input_embeddings().weight
        return sequence.with_features(weight.new_zeros((len(sequence.lengths), 0, self.output_dim)))

    def _require_short(self, lengths: Tensor) -> None:
        """Refuse rows that are too long; waits for the device."""
        longest = int(lengths.max())
        if longest > self.max_tokens:
            raise ValueError(f"rows must be of at most {self.max_tokens} tokens, but one is of {longest} instead.")
