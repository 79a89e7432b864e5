"""The kit accuses no honest component: what the cures of the leaks look like passes every check."""

from collections.abc import Callable

import pytest
import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional

from vietmer_core.components import Component
from vietmer_core.nn.spec_augment import hide_spans
from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing import check_names, failing_checks
from vietmer_core.testing.leaky import parts
from vietmer_core.testing.leaky.keeping import States


class MaskedConvolutions(nn.Module):
    """Zeroes the padding before each convolution."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(dim, dim, 3, padding=1) for _ in range(2))
        self.dropout = nn.Dropout(0.3)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        if sequence.features.shape[1] == 0:
            return sequence.features
        for layer in self.layers:
            states = rearrange(sequence.zeroed().features, "batch time dim -> batch dim time")
            states = self.dropout(layer(states).relu())
            sequence = sequence.with_features(rearrange(states, "batch dim time -> batch time dim"))
        return sequence.features


class GroupNormOfOwnFrames(nn.Module):
    """Statistics over the row's own frames."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, sequence: MaskedSequence) -> Tensor:
        states, count = sequence.zeroed().features, sequence.lengths.clamp(min=1)[:, None, None]
        mean = states.sum(dim=1, keepdim=True) / count  # (batch, 1, dim)
        centred = (states - mean).masked_fill(~sequence.mask[..., None], 0)  # (batch, time, dim)
        variance = centred.square().sum(dim=1, keepdim=True) / count  # (batch, 1, dim)
        return centred * (variance + 1e-5).rsqrt() * self.scale


class BiLSTMByFlipping(nn.Module):
    """Flips each row over its own frames, with dropout between the layers."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.forth = nn.LSTM(dim, dim // 2, num_layers=2, dropout=0.2, batch_first=True)
        self.back = nn.LSTM(dim, dim // 2, num_layers=2, dropout=0.2, batch_first=True)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        states = sequence.zeroed().features
        time = states.shape[1]
        if time == 0:
            return states
        position = torch.arange(time)[None, :]  # (1, time)
        source = torch.where(sequence.mask, sequence.lengths[:, None] - 1 - position, position)  # (batch, time)

        def flip(values: Tensor) -> Tensor:
            return values.gather(1, repeat(source, "batch time -> batch time dim", dim=values.shape[2]))

        with torch.autocast(states.device.type, enabled=False):  # oneDNN has no LSTM in fp16 on most processors
            whole = states.float() if states.dtype in (torch.float16, torch.bfloat16) else states
            return torch.cat([self.forth(whole)[0], flip(self.back(flip(whole))[0])], dim=-1)  # (batch, time, dim)


class PairsOfFrames(nn.Module):
    """Halves the frames, lengths rounded up in one function."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 2
        self.project = nn.Linear(1, 2)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + 1) // 2

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        samples = functional.pad(sequence.zeroed().features, (0, 0, 0, 1))  # (batch, frames + 1, 1)
        pairs = samples[:, :-1:2] + samples[:, 1::2]  # (batch, ceil(frames / 2), 1)
        return MaskedSequence(features=self.project(pairs), lengths=self.output_lengths(sequence.lengths))


class SpansOfOwnDraws(nn.Module):
    """Hides spans and columns in training, drawn from the seed of each row inside its own length."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.filler = nn.Parameter(torch.ones(dim))
        self.params = SpecAugmentParams(
            time_probability=0.4, time_span=2, feature_probability=0.3, feature_span=2, feature_min_spans=1
        )

    def forward(self, sequence: MaskedSequence) -> Tensor:
        return hide_spans(sequence, self.params, frame_filler=self.filler) if self.training else sequence.features


class MaskedDeviation(nn.Module):
    """The deviation with its root kept away from 0."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.output_dim = dim

    def forward(self, sequence: MaskedSequence) -> Tensor:
        count = sequence.lengths.clamp(min=1)[:, None]
        states = sequence.zeroed().features
        away = (states - (states.sum(dim=1) / count)[:, None]).masked_fill(~sequence.mask[..., None], 0)
        deviation = (away.square().sum(dim=1) / count + 1e-6).sqrt()  # (batch, dim)
        return deviation.masked_fill((sequence.lengths == 0)[:, None], 0)


HONEST: dict[str, Callable[[], Component]] = {
    "convolutions masked before each": lambda: parts.over_time(MaskedConvolutions),
    "group norm over the row's own frames": lambda: parts.over_time(GroupNormOfOwnFrames),
    "BiLSTM by flipping": lambda: parts.over_time(BiLSTMByFlipping),
    "spans of own draws": lambda: parts.over_time(SpansOfOwnDraws),
    "pairs of frames": lambda: parts.audio_encoder(PairsOfFrames),
    "a letter's embedding": lambda: parts.text_frontend(parts.CharacterFrontend),
    "states of a frozen layer": lambda: parts.audio_encoder(States),
    "masked deviation": lambda: parts.pooler(MaskedDeviation),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_component_passes(name: str) -> None:
    component = HONEST[name]()
    names = [check for check in check_names(component.role) if check != "torch_free"]  # it is built beside torch here
    assert failing_checks(component, names=names) == {}
