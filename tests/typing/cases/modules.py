"""Modules that break a protocol. Each line that mypy must refuse names the code; the test compares them all."""

from torch import Tensor, nn

from vietmer_core.protocols import Encoder, Fusion, Loss, Pooler
from vietmer_core.sequence import MaskedSequence


class AnyModule(nn.Module):
    """Has a `__call__` from `nn.Module`, and nothing else."""


class EncoderWithoutWidth(nn.Module):
    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        return sequence


class EncoderWithoutLengths(nn.Module):
    output_dim = 8

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        return sequence


class EncoderOfBareTensors(nn.Module):
    output_dim = 8

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths

    def forward(self, features: Tensor) -> Tensor:
        return features


class PositionalFusion(nn.Module):
    output_dims = (8,)

    def forward(self, text: MaskedSequence, audio: MaskedSequence, /) -> tuple[MaskedSequence, ...]:
        return (text, audio)


class FusionOfOneStream(nn.Module):
    output_dims = (8,)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> MaskedSequence:
        del audio
        return text


class FusionWithOneWidth(nn.Module):
    output_dim = 8

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        return (text, audio)


class PoolerToSequence(nn.Module):
    output_dim = 8

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        return sequence


class PoolerOfTextWidth(nn.Module):
    output_dim = "8"

    def forward(self, sequence: MaskedSequence) -> Tensor:
        return sequence.features


class LossWithoutLabels(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits


class AveragingLoss(nn.Module):
    def forward(self, logits: Tensor, labels: Tensor) -> float:
        return float((logits.mean() + labels.float()).mean())


a_module: Encoder = AnyModule()  # refused: assignment
no_width: Encoder = EncoderWithoutWidth()  # refused: assignment
no_lengths: Encoder = EncoderWithoutLengths()  # refused: assignment
bare_tensors: Encoder = EncoderOfBareTensors()  # refused: assignment
positional: Fusion = PositionalFusion()  # refused: assignment
one_stream: Fusion = FusionOfOneStream()  # refused: assignment
one_width: Fusion = FusionWithOneWidth()  # refused: assignment
to_sequence: Pooler = PoolerToSequence()  # refused: assignment
text_width: Pooler = PoolerOfTextWidth()  # refused: assignment
no_labels: Loss = LossWithoutLabels()  # refused: assignment
averaging: Loss = AveragingLoss()  # refused: assignment
