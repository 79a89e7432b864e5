"""The encoder: a RoBERTa that sees each transcript alone, whatever stands in the padding."""

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vietmer_core.nn.dropout import checkpoint_contexts
from vietmer_core.pretrained.backbone import PretrainedBackbone
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.sequence import MaskedSequence, mask_from_lengths


@final
class PhobertEncoder(nn.Module):
    """Ids `(batch, tokens, 1)` → `(batch, tokens, dim)` by a RoBERTa (Nguyen and Nguyen 2020; Liu et al. 2019).

    Ids in the padding are never looked up. Positions are counted from the utterance's first token by the lengths,
    not by the ids. The mask is always passed, also where nothing is padded, as `(batch, 1, 1, tokens)`: transformers
    drops a mask without padding, so that on a GPU the kernel would depend on the neighbours. Zeros in the padding, and
    for a row of length 0.

    Args:
        backbone: Holds the `RobertaModel`, without the layers that `mix` does not use.
        mix: Which layer is read.
        max_tokens: Most tokens that the network has positions for.
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
            ValueError: if a row is longer than the network has positions for.
        """
        width = sequence.features.shape[1]
        if width == 0:
            return self._nothing(sequence)
        if width > self.max_tokens:
            self._require_short(sequence.lengths)
        ids = sequence.features[..., 0].masked_fill(~sequence.mask, self.pad_id)  # (batch, tokens)
        attended = mask_from_lengths(sequence.lengths.clamp(min=1), width)  # (batch, tokens)
        positions = torch.arange(width, device=ids.device) + self.pad_id + 1  # (tokens,)
        positions = positions.expand(ids.shape).masked_fill(~attended, self.pad_id)  # (batch, tokens)
        states = self._states(ids, positions, attended[:, None, None, :])
        return sequence.with_features(self.mix(states)).zeroed()  # (batch, tokens, dim)

    def _states(self, ids: Tensor, positions: Tensor, mask: Tensor) -> list[Tensor]:
        """States `(batch, tokens, dim)` from what enters the first layer to the last one; `mask (batch, 1, 1, tokens)`.

        As `RobertaModel.forward`, which makes the embeddings require gradients where layers are to be run again, so
        that frozen layers keep their activations too, and which breaks the graph of `torch.compile` to hand out states.
        """
        model: Any = self.backbone.model
        states = [model.embeddings(input_ids=ids, position_ids=positions)]
        for layer in model.encoder.layer:
            states.append(self._run(layer, states[-1], mask))
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
        """Refuse rows that are too long, rather than look up a position that is not there; waits for the device."""
        longest = int(lengths.max())
        if longest > self.max_tokens:
            raise ValueError(f"rows must be of at most {self.max_tokens} tokens, but one is of {longest} instead.")
