"""Assembly: from a spec to the frontends, the model, the loss and the sampler it names."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from pydantic import BaseModel
from torch import nn

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Component, Modality, Role
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import AssemblyError, VietmerError
from vietmer_core.frontends import Frontends
from vietmer_core.model import EmotionModel
from vietmer_core.plugins import observer_fault
from vietmer_core.protocols import Encoder, Fusion, Loss, Pooler, Sampler
from vietmer_core.spec import ExperimentSpec, reads

Part = TypeVar("Part")


def part_seed(seed: int, part: str) -> int:
    """The seed of one part of an experiment: parts do not share a stream, so changing one leaves the others alone."""
    digest = hashlib.sha256(f"{seed}:{part}".encode()).digest()
    return int.from_bytes(digest[:8], "little") % 2**63


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The global generator of torch at `seed` inside, and as it was outside."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _built(component: Component, build: Callable[[], Part]) -> Part:
    try:
        return build()
    except VietmerError:
        raise
    except (ValueError, TypeError) as error:
        raise AssemblyError(f"`{component.role}: {component.kind}` cannot be built: {error}") from error


def _component(spec: ExperimentSpec, role: Role, catalogue: Catalogue) -> tuple[Component, BaseModel]:
    params: BaseModel | None = getattr(spec, role.value)
    if params is None:
        raise AssemblyError(f"the spec has no `{role}`, but the fusion `{spec.kind('fusion')}` reads it.")
    return catalogue.component(role, spec.kind(role.value)), params


def build_frontends(spec: ExperimentSpec, catalogue: Catalogue) -> Frontends:
    """The frontends of the modalities that the spec's model reads."""
    made: dict[Modality, object] = {}
    for modality in reads(spec, catalogue):
        component, params = _component(spec, Role(modality), catalogue)
        build = component.build_frontend
        if build is not None:
            made[modality] = _built(component, lambda build=build, params=params: build(params))  # type: ignore[misc]  # mypy does not infer defaults of lambdas
    text, audio = made.get(Modality.TEXT), made.get(Modality.AUDIO)
    return Frontends(text=text, audio=audio)  # type: ignore[arg-type]  # what a component builds is checked by the kit


def build_model(spec: ExperimentSpec, catalogue: Catalogue) -> EmotionModel:
    """The model of a spec, with initial weights from its seed; each part has a stream of random numbers of its own.

    Raises:
        AssemblyError: if parts that are valid alone do not fit together.
    """
    encoders: dict[Modality, Encoder] = {}
    for modality in sorted(reads(spec, catalogue)):
        component, params = _component(spec, Role(modality), catalogue)
        with seeded(part_seed(spec.seed, modality)):
            encoders[modality] = _built(component, lambda: component.build(params))  # noqa: B023  # called at once
    dims = {modality: encoder.output_dim for modality, encoder in encoders.items()}
    fusion = _build_fusion(spec, catalogue, dims)
    poolers = _build_poolers(spec, catalogue, fusion.output_dims)
    head_component, head_params = _component(spec, Role.HEAD, catalogue)
    width = sum(pooler.output_dim for pooler in poolers)
    with seeded(part_seed(spec.seed, "head")):
        head = _built(
            head_component, lambda: head_component.build(head_params, dim=width, num_classes=len(spec.labels))
        )
    return EmotionModel(
        text=encoders.get(Modality.TEXT),
        audio=encoders.get(Modality.AUDIO),
        fusion=fusion,
        poolers=poolers,
        head=head,
        dropout=spec.training.dropout,
    )


def _build_fusion(spec: ExperimentSpec, catalogue: Catalogue, dims: dict[Modality, int]) -> Fusion:
    component, params = _component(spec, Role.FUSION, catalogue)
    text_dim, audio_dim = dims.get(Modality.TEXT, 0), dims.get(Modality.AUDIO, 0)
    with seeded(part_seed(spec.seed, "fusion")):
        fusion: Fusion = _built(component, lambda: component.build(params, text_dim=text_dim, audio_dim=audio_dim))
    return fusion


def _build_poolers(spec: ExperimentSpec, catalogue: Catalogue, dims: Sequence[int]) -> list[Pooler]:
    component, params = _component(spec, Role.POOLER, catalogue)
    poolers: list[Pooler] = []
    for stream, dim in enumerate(dims):
        with seeded(part_seed(spec.seed, f"pooler {stream}")):
            poolers.append(_built(component, lambda: component.build(params, dim=dim)))  # noqa: B023  # called at once
    return poolers


def build_loss(spec: ExperimentSpec, catalogue: Catalogue, class_counts: Mapping[str, int]) -> Loss:
    """The loss of a spec; `class_counts` holds the training utterances of each label, in order."""
    component, params = _component(spec, Role.LOSS, catalogue)
    loss: Loss = _built(component, lambda: component.build(params, class_counts=class_counts))
    return loss


def build_sampler(spec: ExperimentSpec, catalogue: Catalogue, sizes: UtteranceSizes) -> Sampler:
    """The sampler of the training split."""
    component, params = _component(spec, Role.SAMPLER, catalogue)
    seed = part_seed(spec.seed, "sampler")
    sampler: Sampler = _built(component, lambda: component.build(params, sizes=sizes, seed=seed))
    return sampler


def build_trackers(spec: ExperimentSpec, catalogue: Catalogue) -> list[object]:
    """The trackers that a spec names, in its order; each is an observer of the run.

    Raises:
        AssemblyError: if one cannot be built, or is no observer: it must implement a hook of a run, and no other.
    """
    trackers: list[object] = []
    for params in spec.trackers:
        component = catalogue.component(Role.TRACKER, str(getattr(params, "kind", "")))
        tracker: object = _built(component, lambda: component.build(params))  # noqa: B023  # called at once
        fault = observer_fault(tracker)
        if fault:
            raise AssemblyError(f"`tracker: {component.kind}` cannot be used: {fault}.")
        trackers.append(tracker)
    return trackers


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """All parameters, and those that training may change."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trains in sizes if trains)
