"""What a plugin's author writes, and mypy must accept without a word."""

from collections.abc import Sequence
from typing import Literal, final

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from vietmer_core.builtin import build_focal
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.nn.head import MLPHead
from vietmer_core.nn.losses import CrossEntropyLoss, FocalLoss
from vietmer_core.nn.packing import concatenate_in_time
from vietmer_core.nn.pooling import AttentionPooler, MeanPooler
from vietmer_core.protocols import (
    BuildEncoder,
    BuildFusion,
    BuildLoss,
    BuildPooler,
    BuildSampler,
    Encoder,
    Fusion,
    Head,
    Loss,
    Pooler,
    Sampler,
    UtteranceSizes,
)
from vietmer_core.records import EpochRecord
from vietmer_core.sequence import MaskedSequence


class Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["simple"] = "simple"
    dim: int = 8


@final
class SimpleEncoder(nn.Module):
    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        return sequence.with_features(sequence.features * 2)


@final
class SimpleFusion(nn.Module):
    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.output_dims = (dim,)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        return (concatenate_in_time(text, audio),)


@final
class SimpleSampler:
    def batches(self, epoch: int) -> Sequence[Sequence[int]]:
        return [[epoch]]


def build_encoder(params: Params) -> Encoder:
    return SimpleEncoder(dim=params.dim)


def build_fusion(params: Params, *, text_dim: int, audio_dim: int) -> SimpleFusion:
    del params, audio_dim
    return SimpleFusion(dim=text_dim)


def build_pooler(params: Params, *, dim: int) -> Pooler:
    del params
    return MeanPooler(dim=dim)


def build_sampler(params: Params, *, sizes: UtteranceSizes, seed: int) -> Sampler:
    del params, sizes, seed
    return SimpleSampler()


@hookimpl
def register_components() -> Sequence[Component]:
    return [Component(role=Role.POOLER, params=Params, build=build_pooler, summary="A part.", licence="MIT")]


@hookimpl
def end_epoch(epoch: EpochRecord) -> None:
    del epoch


encoder: Encoder = SimpleEncoder(dim=8)
fusion: Fusion = SimpleFusion(dim=8)
mean: Pooler = MeanPooler(dim=8)
attention: Pooler = AttentionPooler(dim=8, num_heads=2)
head: Head = MLPHead(dim=8, num_classes=3, hidden_dims=[], dropout=0.0)
loss: Loss = CrossEntropyLoss()
focal: Loss = FocalLoss(gamma=1.0)
sampler: Sampler = SimpleSampler()

encoder_builder: BuildEncoder = build_encoder
fusion_builder: BuildFusion = build_fusion
pooler_builder: BuildPooler = build_pooler
loss_builder: BuildLoss = build_focal
sampler_builder: BuildSampler = build_sampler
