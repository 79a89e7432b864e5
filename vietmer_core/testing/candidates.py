"""From a registered component to what the checks need of it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import attrs
import torch
from pydantic import BaseModel
from torch import nn

from vietmer_core.components import Component, Modality, Role
from vietmer_core.protocols import AudioFrontend, Encoder, Fusion, Head, Loss, Pooler, TextFrontend
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing.cases import single_frame_cases
from vietmer_core.testing.failures import ConformanceError
from vietmer_core.testing.freezing import freed
from vietmer_core.testing.sources import ClassSource, FeatureSource, Source, TranscriptSource, WaveformSource
from vietmer_core.testing.subjects import Inputs, Outputs, Subject

TEXT_DIM: Final = 8
AUDIO_DIM: Final = 12
DIM: Final = 8
NUM_CLASSES: Final = 4
CLASS_COUNTS: Final[Mapping[str, int]] = MappingProxyType({"angry": 40, "happy": 30, "neutral": 20, "sad": 10})

PROTOCOLS: Final[Mapping[Role, type]] = {
    Role.TEXT: Encoder,
    Role.AUDIO: Encoder,
    Role.FUSION: Fusion,
    Role.POOLER: Pooler,
    Role.HEAD: Head,
    Role.LOSS: Loss,
}
"""What the built part of a role must be."""


@attrs.frozen(kw_only=True, eq=False)
class Candidate:
    """A registered component with the parameters it is tested with.

    Attributes:
        component: As registered.
        params: Validated parameters; `Component.tiny` unless the test gives others. Pretrained weights that they leave
            frozen are trained, so that gradients can be compared.
    """

    component: Component
    params: BaseModel

    @property
    def name(self) -> str:
        """`fusion: xattn`."""
        return f"{self.component.role}: {self.component.kind}"

    def subject(self) -> Subject:
        """The component as a subject of the checks that run it."""
        return _SUBJECTS[self.component.role](self)

    def frontend(self) -> Any:
        """The frontend of an encoder."""
        assert self.component.build_frontend is not None
        return self.component.build_frontend(self.params)


def candidate_of(component: Component, params: Mapping[str, Any] | None = None) -> Candidate:
    """The component with its tiny parameters, or with those given (`kind` may be left out)."""
    given = component.tiny if params is None else params
    validated = component.params.model_validate({"kind": component.kind, **given})
    return Candidate(component=component, params=freed(validated))


def as_frames(name: str, values: Any, size: int, *, axes: int) -> Outputs:
    """An output without time, `(batch,)` or `(batch, dim)`, as sequences of one frame."""
    if not isinstance(values, torch.Tensor) or values.ndim != axes or len(values) != size:
        rule = f"({size},)" if axes == 1 else f"({size}, dim)"
        found = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise ConformanceError(f"component `{name}`: the output must have the shape {rule}, but is {found} instead.")
    features = values.reshape(size, 1, -1)  # (batch, 1, dim)
    return (MaskedSequence(features=features, lengths=torch.ones(size, dtype=torch.int64)),)


def _encoder(candidate: Candidate) -> Subject:
    frontend = candidate.frontend()
    source: Source
    if candidate.component.role == Role.TEXT:
        source = TranscriptSource(frontend=cast("TextFrontend", frontend))
    else:
        with torch.random.fork_rng(devices=[]):
            lengths = cast("Encoder", candidate.component.build(candidate.params)).output_lengths
        source = WaveformSource(
            frontend=cast("AudioFrontend", frontend),
            frames_of=lambda samples: int(lengths(torch.tensor([frontend.num_frames(samples)]))[0]),
        )

    def call(module: nn.Module, inputs: Inputs) -> Outputs:
        output = module(inputs["sequence"])
        if not isinstance(output, MaskedSequence):
            raise ConformanceError(
                f"component `{candidate.name}`: `forward` must return a MaskedSequence, "
                f"but returns {type(output).__name__} instead."
            )
        return (output,)

    return _subject(candidate, call, {"sequence": source})


def _fusion(candidate: Candidate) -> Subject:
    read = candidate.component.modalities
    sources: dict[str, Source] = {}
    if Modality.TEXT in read:
        sources["text"] = FeatureSource(dim=TEXT_DIM)
    if Modality.AUDIO in read:
        sources["audio"] = FeatureSource(dim=AUDIO_DIM)

    def call(module: nn.Module, inputs: Inputs) -> Outputs:
        outputs = module(text=inputs["text"], audio=inputs["audio"])
        if not isinstance(outputs, tuple) or not all(isinstance(stream, MaskedSequence) for stream in outputs):
            raise ConformanceError(
                f"component `{candidate.name}`: `forward` must return a tuple of MaskedSequence, "
                f"but returns {type(outputs).__name__} instead."
            )
        return outputs

    dims = {
        "text_dim": TEXT_DIM if Modality.TEXT in read else 0,
        "audio_dim": AUDIO_DIM if Modality.AUDIO in read else 0,
    }
    absent = [name for name in ("text", "audio") if name not in sources]
    return _subject(candidate, call, sources, absent=absent, dims=dims)


def _pooler(candidate: Candidate) -> Subject:
    def call(module: nn.Module, inputs: Inputs) -> Outputs:
        sequence = inputs["sequence"]
        return as_frames(candidate.name, module(sequence), len(sequence.lengths), axes=2)

    return _subject(candidate, call, {"sequence": FeatureSource(dim=DIM)}, dims={"dim": DIM})


def _head(candidate: Candidate) -> Subject:
    def call(module: nn.Module, inputs: Inputs) -> Outputs:
        embedding = inputs["embedding"].features[:, 0]  # (batch, dim)
        return as_frames(candidate.name, module(embedding), len(embedding), axes=2)

    dims = {"dim": DIM, "num_classes": NUM_CLASSES}
    return _subject(candidate, call, {"embedding": FeatureSource(dim=DIM)}, dims=dims, single=True)


def _loss(candidate: Candidate) -> Subject:
    def call(module: nn.Module, inputs: Inputs) -> Outputs:
        logits, labels = (
            inputs["logits"].features[:, 0],
            inputs["label"].features[:, 0, 0],
        )  # (batch, classes), (batch,)
        return as_frames(candidate.name, module(logits, labels), len(logits), axes=1)

    sources: dict[str, Source] = {
        "logits": FeatureSource(dim=NUM_CLASSES),
        "label": ClassSource(num_classes=NUM_CLASSES),
    }
    return _subject(candidate, call, sources, dims={"class_counts": CLASS_COUNTS}, single=True)


def _subject(
    candidate: Candidate,
    call: Callable[[nn.Module, Inputs], Outputs],
    sources: Mapping[str, Source],
    *,
    dims: Mapping[str, Any] | None = None,
    absent: list[str] | None = None,
    single: bool = False,
) -> Subject:
    def make() -> nn.Module:
        module = candidate.component.build(candidate.params, **(dims or {}))
        if not isinstance(module, nn.Module):
            raise ConformanceError(
                f"component `{candidate.name}`: `build` must return an nn.Module, "
                f"but returns {type(module).__name__} instead."
            )
        return module

    if single:
        draw = single_frame_cases(tuple(sources))
        return Subject(name=candidate.name, make=make, call=call, sources=sources, draw=draw)
    return Subject(name=candidate.name, make=make, call=call, sources=sources, absent=absent or [])


_SUBJECTS: Final[Mapping[Role, Callable[[Candidate], Subject]]] = {
    Role.TEXT: _encoder,
    Role.AUDIO: _encoder,
    Role.FUSION: _fusion,
    Role.POOLER: _pooler,
    Role.HEAD: _head,
    Role.LOSS: _loss,
}
