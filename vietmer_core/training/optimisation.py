"""AdamW's parameter groups and the learning rate of each step."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from vietmer_core.model import EmotionModel
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.spec import TrainingSpec

PRETRAINED_RATE: Final = 5e-6
"""Peak learning rate of weights that came with a checkpoint, where `training.learning_rates` gives no other."""

FUSED_ON: Final = frozenset({"cpu", "cuda"})
"""Types of devices on which the fused AdamW was run."""


def learning_rate_factor(step: int, *, total: int, warmup: int, schedule: str) -> float:
    """Share of the peak learning rate at a step, from 0.

    A linear rise over `warmup` steps, then: `constant` 1; `linear` to 0 at `total`;
    `cosine` (1 + cos(pi · progress)) / 2 (Loshchilov and Hutter 2017, SGDR, without restarts).
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return 1.0 - progress
    return (1.0 + math.cos(math.pi * progress)) / 2.0


def _parts(model: EmotionModel) -> Iterator[tuple[str, nn.Module]]:
    parts = {"text": model.text, "audio": model.audio, "fusion": model.fusion, "pooler": model.poolers}
    for name, part in {**parts, "head": model.head}.items():
        if part is not None:
            yield name, part


def parameter_groups(model: EmotionModel, training: TrainingSpec) -> list[dict[str, Any]]:
    """Groups for the optimiser: each part at its own learning rate, weight decay for its matrices only.

    Weights that came with a checkpoint have groups of their own, one a layer where `training.layer_decay` is below 1.
    What is frozen at first and trained later is there from the start: AdamW leaves a parameter without gradient as it
    is, without decay.
    """
    groups: list[dict[str, Any]] = []
    for name, part in _parts(model):
        by_rate: dict[tuple[str, float], list[nn.Parameter]] = {}
        rate = training.learning_rates.get(name, training.learning_rate)  # type: ignore[call-overload]  # the names above
        new, pretrained = _trained(part)
        by_rate[name, rate] = new
        origin = f"{name}.pretrained"
        peak = training.learning_rates.get(origin, PRETRAINED_RATE)  # type: ignore[call-overload]  # as above
        for depth, parameters in pretrained:
            by_rate.setdefault((origin, peak * training.layer_decay**depth), []).extend(parameters)
        for (group, own_rate), trained in by_rate.items():
            groups += _by_decay(group, trained, rate=own_rate, weight_decay=training.weight_decay)
    return groups


def _trained(part: nn.Module) -> tuple[list[nn.Parameter], list[tuple[int, tuple[nn.Parameter, ...]]]]:
    """What is trained of a part at some epoch: the new parameters, and the pretrained ones by their depth."""
    inside = [backbone for _, backbone in backbones(part)]
    theirs = {id(parameter) for backbone in inside for parameter in backbone.parameters()}
    given = [group for backbone in inside for group in backbone.parameter_groups()]
    new = [value for value in part.parameters() if value.requires_grad and id(value) not in theirs]
    new += [value for group in given if group.name == "new" for value in group.parameters]
    return new, [(group.depth, group.parameters) for group in given if group.name == "pretrained"]


def _by_decay(
    name: str, trained: Sequence[nn.Parameter], *, rate: float, weight_decay: float
) -> Iterator[dict[str, Any]]:
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    vectors = [parameter for parameter in trained if parameter.ndim <= 1]
    for parameters, decay in ((matrices, weight_decay), (vectors, 0.0)):
        if parameters:
            yield {"name": name, "params": parameters, "lr": rate, "weight_decay": decay}


def make_optimiser(model: EmotionModel, training: TrainingSpec, *, total_steps: int) -> tuple[AdamW, LambdaLR]:
    """AdamW (Loshchilov and Hutter 2019) and its schedule; the fused one where it can be.

    Fused, a step of a small model takes a quarter of the time on a CPU. Under fp16 it is not: the fused step leaves a
    step with an infinite gradient out by itself, so that the schedule would not learn of it.
    """
    groups = parameter_groups(model, training)
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    optimiser = AdamW(groups, fused=training.precision != "fp16" and devices <= FUSED_ON)
    warmup = round(training.warmup * total_steps)

    def factor(step: int) -> float:
        return learning_rate_factor(step, total=total_steps, warmup=warmup, schedule=training.schedule)

    return optimiser, LambdaLR(optimiser, factor)
