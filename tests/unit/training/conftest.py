"""A model with a small network that stands for a pretrained one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vietmer_core.batch import Batch, absent_sequence
from vietmer_core.model import EmotionModel
from vietmer_core.nn.head import MLPHead
from vietmer_core.nn.pooling import MeanPooler
from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan
from vietmer_core.pretrained.checkpoints import CheckpointRecord
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.sequence import MaskedSequence, pad_rows


class Network(nn.Module):
    """A projection below two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))

    def forward(self, features: Tensor) -> list[Tensor]:
        states = [self.embed(features)]
        for layer in self.layers:
            states.append(torch.tanh(layer(states[-1])))
        return states


class NetworkEncoder(nn.Module):
    output_dim = 4

    def __init__(self, record: CheckpointRecord, plan: TrainingPlan) -> None:
        super().__init__()
        network = Network()
        self.backbone = PretrainedBackbone(network, layers=list(network.layers), record=record, plan=plan)
        self.mix = LayerMix(choice="weighted_sum", num_layers=2)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        return sequence.with_features(self.mix(self.mix.side_by_side(self.backbone.model(sequence.features))))


class AudioAlone(nn.Module):
    output_dims = (4,)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        del text
        return (audio,)


@pytest.fixture
def pretrained_model() -> Callable[..., EmotionModel]:
    """An emotion model around the network, by its plan and the fields of its record."""

    def make(*, seed: int = 0, plan: TrainingPlan | None = None, **record: Any) -> EmotionModel:
        fields = {"checkpoint": "org/name", "revision": None, "commit": None, "weights": "pretrained"}
        torch.manual_seed(seed)
        encoder = NetworkEncoder(
            CheckpointRecord(**{**fields, "licence": "MIT", "files": {"model.safetensors": "aa"}, **record}),
            plan or TrainingPlan(),
        )
        head = MLPHead(dim=4, num_classes=2, hidden_dims=(3,), dropout=0.0)
        return EmotionModel(text=None, audio=encoder, fusion=AudioAlone(), poolers=[MeanPooler(dim=4)], head=head)

    return make


@pytest.fixture
def audio_batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randn(length, 3, generator=generator) for length in (4, 2, 3)]
    labels = torch.tensor([0, 1, 0])
    return Batch(text=absent_sequence(3), audio=pad_rows(rows), labels=labels, indices=torch.arange(3))
