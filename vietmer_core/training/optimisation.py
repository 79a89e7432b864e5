"""AdamW's parameter groups and the learning rate of each step."""

import math
from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from vietmer_core.model import EmotionModel
from vietmer_core.spec import TrainingSpec


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
    """Groups for the optimiser: each part at its own learning rate, weight decay for its matrices only."""
    groups: list[dict[str, Any]] = []
    for name, part in _parts(model):
        rate = training.learning_rates.get(name, training.learning_rate)  # type: ignore[call-overload]  # the names above
        trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
        matrices = [parameter for parameter in trained if parameter.ndim > 1]
        vectors = [parameter for parameter in trained if parameter.ndim <= 1]
        for parameters, decay in ((matrices, training.weight_decay), (vectors, 0.0)):
            if parameters:
                groups.append({"name": name, "params": parameters, "lr": rate, "weight_decay": decay})
    return groups


def make_optimiser(model: EmotionModel, training: TrainingSpec, *, total_steps: int) -> tuple[AdamW, LambdaLR]:
    """AdamW (Loshchilov and Hutter 2019) and its schedule."""
    optimiser = AdamW(parameter_groups(model, training))
    warmup = round(training.warmup * total_steps)

    def factor(step: int) -> float:
        return learning_rate_factor(step, total=total_steps, warmup=warmup, schedule=training.schedule)

    return optimiser, LambdaLR(optimiser, factor)
