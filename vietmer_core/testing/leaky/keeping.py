"""Audio encoders whose states must not be kept, or not in the way they say."""

from typing import final

from torch import Tensor, nn
from torch.nn.functional import dropout, layer_norm

from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan
from vietmer_core.pretrained.checkpoints import CheckpointRecord
from vietmer_core.pretrained.stack import encoding
from vietmer_core.sequence import MaskedSequence

DIM = 4


def _network(*, plan: TrainingPlan) -> PretrainedBackbone:
    network = nn.Sequential(nn.Linear(1, DIM))
    record = CheckpointRecord(
        checkpoint="./none", revision=None, commit=None, weights="random", licence="none", files={}
    )
    return PretrainedBackbone(network, layers=list(network), record=record, plan=plan)


@final
class States(nn.Module):
    """An honest encoder of a frozen layer, whose states are kept, and a learned one, with a mistake of choice.

    Args:
        forgets: `finish` leaves a norm out that `forward` has.
        drops: Units of the frozen layer's states are dropped in training.
        learns: Whether the frozen layer is trained, with or without saying so.
        leaks: The learned layer stands before the states.
    """

    def __init__(
        self, *, forgets: bool = False, drops: bool = False, learns: bool = False, leaks: bool = False
    ) -> None:
        super().__init__()
        self.output_dim = DIM
        self.states_dim = DIM
        self.backbone = _network(plan=TrainingPlan(depth=None if learns else 0))
        self.project = nn.Linear(DIM, DIM)
        self._forgets, self._drops, self._leaks = forgets, drops, leaks

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """The same."""
        return lengths

    def obstacle(self) -> str:
        """None, whatever is trained."""
        return ""

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, 1)` → `(batch, frames, 4)`."""
        return self._finished(self.encode(sequence), normalises=True)

    def encode(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, 1)` → `(batch, frames, 4)`."""
        with encoding("it is trained all the same" if self._leaks else ""):
            states: Tensor = self.backbone.model(sequence.zeroed().features)
            states = dropout(states, 0.5, training=self.training and self._drops)
            return sequence.with_features(self.project(states) if self._leaks else states).zeroed()

    def finish(self, states: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, 4)` → the same shape."""
        return self._finished(states, normalises=not self._forgets)

    def _finished(self, states: MaskedSequence, *, normalises: bool) -> MaskedSequence:
        features = layer_norm(states.features, (DIM,)) if normalises else states.features
        return states.with_features(features if self._leaks else self.project(features)).zeroed()
