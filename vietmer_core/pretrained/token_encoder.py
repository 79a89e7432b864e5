"""The encoder of every pretrained network that reads ids of tokens: each transcript as if it were alone."""

from typing import Any, Protocol, final

from torch import Tensor, nn

from vietmer_core.pretrained.backbone import PretrainedBackbone
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.stack import encoding
from vietmer_core.sequence import MaskedSequence, mask_from_lengths


class TokenStates(Protocol):
    """Runs a network of one architecture; what stands in the padding must reach no real token."""

    def __call__(
        self, model: Any, ids: Tensor, attended: Tensor, /, *, keep_all: bool, recomputes: bool
    ) -> list[Tensor]:
        """States `(batch, tokens, dim)`, from what enters the first layer to the last one, or that one alone.

        Args:
            model: transformers' network.
            ids: `(batch, tokens)` int64; the id of the padding in the padding.
            attended: `(batch, tokens)` bool, True at real tokens, and at the first one of a row of none.
            keep_all: Whether all states are returned.
            recomputes: Gradient checkpointing of the layers that are trained.
        """
        ...


@final
class TokenEncoder(nn.Module):
    """Ids `(batch, tokens, 1)` → `(batch, tokens, dim)` by a pretrained Transformer.

    Ids in the padding are never looked up: any number may stand there. Zeros in the padding, and for a row of length 0.

    Args:
        backbone: Holds transformers' network, without the layers that `mix` does not use.
        mix: Which layer is read.
        states: Runs the network.
        max_tokens: Most tokens that the network was made for.
        recomputes: Whether trained layers are run again in the backward pass rather than keep their activations.

    Attributes:
        output_dim: Width of the network.
        states_dim: Width of the states that `encode` gives.
    """

    def __init__(
        self, *, backbone: PretrainedBackbone, mix: LayerMix, states: TokenStates, max_tokens: int, recomputes: bool
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.mix = mix
        config: Any = backbone.model.config
        self.output_dim = int(config.hidden_size)
        self.states_dim = mix.states_dim(self.output_dim)
        self.pad_id = int(config.pad_token_id)
        self.max_tokens = max_tokens
        self.recomputes = recomputes
        self._states = states
        self._obstacle = backbone.plan.obstacle()

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Lengths out for lengths in: the same."""
        return lengths

    def obstacle(self) -> str:
        """What trains inside the network, as a clause; "" where it is frozen."""
        return self._obstacle

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, tokens, 1)` int64 → `(batch, tokens, dim)`.

        Raises:
            ValueError: if a row is longer than the network was made for.
        """
        return self.finish(self.encode(sequence))

    def encode(self, sequence: MaskedSequence) -> MaskedSequence:
        """The states that are read, `(batch, tokens, 1)` int64 → `(batch, tokens, states_dim)`.

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
        with encoding(self._obstacle):
            states = self._states(
                self.backbone.model, ids, attended, keep_all=self.mix.reads_all, recomputes=self.recomputes
            )
            return sequence.with_features(self.mix.side_by_side(states)).zeroed()  # (batch, tokens, states_dim)

    def finish(self, states: MaskedSequence) -> MaskedSequence:
        """Mix the layers: `(batch, tokens, states_dim)` → `(batch, tokens, dim)`."""
        return states.with_features(self.mix(states.features))

    def _nothing(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, 0, states_dim)`: every transcript is empty."""
        model: Any = self.backbone.model
        weight: Tensor = model.get_input_embeddings().weight
        return sequence.with_features(weight.new_zeros((len(sequence.lengths), 0, self.states_dim)))

    def _require_short(self, lengths: Tensor) -> None:
        """Refuse rows that are too long; waits for the device."""
        longest = int(lengths.max())
        if longest > self.max_tokens:
            raise ValueError(f"rows must be of at most {self.max_tokens} tokens, but one is of {longest} instead.")
