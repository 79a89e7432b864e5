"""How the leaky modules become components."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, final

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from vietmer_core.components import Component, Modality, Role
from vietmer_core.sequence import MaskedSequence


class LeakyParams(BaseModel):
    """Parameters of every leaky component: none."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["leaky"] = "leaky"


@final
class OneStream(nn.Module):
    """A fusion of one layer over the text alone."""

    def __init__(self, layer: nn.Module, *, dim: int) -> None:
        super().__init__()
        self.output_dims = (dim,)
        self.layer = layer

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        """The layer's frames at the lengths of the text."""
        assert len(audio.lengths) == len(text.lengths)
        output: Tensor | MaskedSequence = self.layer(text)
        return (output if isinstance(output, MaskedSequence) else text.with_features(output),)


@final
class SamplesFrontend:
    """A waveform as it is: one frame a sample."""

    sampling_rate = 16_000

    def __call__(self, waveform: Tensor, /) -> Tensor:
        """`(samples,)` → `(samples, 1)`."""
        return waveform[:, None]  # (samples, 1)

    def num_frames(self, num_samples: int, /) -> int:
        """As many."""
        return num_samples


@final
class CharacterFrontend:
    """A transcript as the code points of its letters, below 64."""

    def __call__(self, transcript: str, /) -> Tensor:
        """`(tokens, 1)` int64."""
        ids = [ord(letter) % 64 for letter in transcript.strip()]
        return torch.tensor(ids, dtype=torch.int64)[:, None]  # (tokens, 1)

    def tokens_cut(self, transcript: str, /) -> int:
        """None: any length is read."""
        del transcript
        return 0


@final
class Embedding(nn.Module):
    """An honest text encoder: an embedding of each id."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 4
        self.table = nn.Embedding(64, 4)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """The same."""
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, tokens, 1)` → `(batch, tokens, 4)`."""
        return sequence.with_features(self.table(sequence.features[..., 0]))


@final
class Amplifier(nn.Module):
    """An honest audio encoder: every sample times a learned factor."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 1
        self.factor = nn.Parameter(torch.ones(1))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """The same."""
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        """`(batch, frames, 1)` → the same shape."""
        return sequence.with_features(sequence.features * self.factor)


def component(
    role: Role,
    build: Callable[..., Any],
    *,
    frontend: Callable[[], Any] | None = None,
    params: type[BaseModel] = LeakyParams,
) -> Component:
    """A component around a `build` function; fusions read the text alone."""
    return Component(
        role=role,
        params=params,
        build=build,
        build_frontend=None if frontend is None else lambda _params: frontend(),
        summary="Breaks a rule of the house.",
        licence="Apache-2.0",
        modalities=frozenset({Modality.TEXT}),
        tiny={},
    )


def over_time(layer: Callable[[int], nn.Module], *, params: type[BaseModel] = LeakyParams) -> Component:
    """A fusion from a layer over `(batch, time, dim)`, which keeps the width."""

    def build(_params: BaseModel, *, text_dim: int, audio_dim: int) -> OneStream:
        assert audio_dim == 0
        return OneStream(layer(text_dim), dim=text_dim)

    return component(Role.FUSION, build, params=params)


def audio_encoder(module: Callable[[], nn.Module]) -> Component:
    """An audio encoder of samples."""
    return component(Role.AUDIO, lambda _params: module(), frontend=SamplesFrontend)


def audio_frontend(frontend: Callable[[], Any]) -> Component:
    """An audio encoder with a leaky frontend."""
    return component(Role.AUDIO, lambda _params: Amplifier(), frontend=frontend)


def text_frontend(frontend: Callable[[], Any]) -> Component:
    """A text encoder with a leaky frontend."""
    return component(Role.TEXT, lambda _params: Embedding(), frontend=frontend)


def pooler(module: Callable[[int], nn.Module]) -> Component:
    """A pooler of frames of a width."""
    return component(Role.POOLER, lambda _params, *, dim: module(dim))


def head(module: Callable[[int, int], nn.Module]) -> Component:
    """A head from a width to a number of classes."""
    return component(Role.HEAD, lambda _params, *, dim, num_classes: module(dim, num_classes))


def loss(module: Callable[[Mapping[str, int]], nn.Module]) -> Component:
    """A loss over labels with the counts given."""
    return component(Role.LOSS, lambda _params, *, class_counts: module(class_counts))
