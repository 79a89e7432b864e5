"""One step of the optimiser."""

import math
import time
from collections.abc import Callable

import attrs
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from vietmer_core.batch import Batch
from vietmer_core.errors import NonFiniteError
from vietmer_core.memory import memory_told
from vietmer_core.protocols import Loss
from vietmer_core.sequence import MaskedSequence


@attrs.frozen(kw_only=True)
class StepOutcome:
    """What one step gave: the summed loss, the gradient's norm before clipping, the rate it was taken at, seconds."""

    loss_sum: float
    gradient_norm: float
    learning_rate: float
    seconds: float


def padding_efficiency(batch: Batch) -> float:
    """Real frames ÷ computed frames of the longer modality (audio where there is any)."""

    def share(sequence: MaskedSequence) -> float | None:
        computed = math.prod(sequence.features.shape[:2])
        return float(sequence.lengths.sum()) / computed if computed else None

    found = share(batch.audio)
    return found if found is not None else share(batch.text) or 1.0


def _not_finite(what: str, rows: list[int]) -> NonFiniteError:
    return NonFiniteError(
        f"the {what} must be finite, but is not for the training utterances at positions {rows}. "
        "Lower `training.learning_rate`, or look at those utterances."
    )


def _targets(batch: Batch, logits: Tensor) -> Tensor:
    """Soft labels `(batch, classes)` where the batch has any, else classes `(batch,)`, where the logits are."""
    if batch.soft_labels is not None:
        return batch.soft_labels.to(logits.device, non_blocking=True)
    assert batch.labels is not None
    return batch.labels.to(logits.device, non_blocking=True)


def _size(batch: Batch) -> str:
    frames, tokens = batch.audio.features.shape[1], batch.text.features.shape[1]
    return f"{len(batch)} utterances of up to {frames} frames and {tokens} tokens"


def take_step(
    batch: Batch,
    *,
    forward: Callable[[Batch], Tensor],
    loss: Loss,
    optimiser: Optimizer,
    schedule: LRScheduler,
    gradient_clip: float | None,
) -> StepOutcome:
    """Forward, backward, clip, step. The summed loss is divided by the number of utterances of the batch.

    Args:
        batch: With labels.
        forward: Logits `(batch, classes)` of a batch, on the model's device.
        loss: One number an utterance.
        optimiser: Of the model's parameters.
        schedule: Of the optimiser's rates.
        gradient_clip: Largest norm of the gradient.

    Raises:
        NonFiniteError: if the loss or the gradient is not finite; no weight has been changed then.
        RunError: if the memory does not suffice.
    """
    began = time.perf_counter()
    optimiser.zero_grad(set_to_none=True)
    with memory_told("Lower `sampler.batch_size` or its budget.", what=f"a batch of {_size(batch)}"):
        logits = forward(batch)  # (batch, classes)
        losses = loss(logits, _targets(batch, logits))  # (batch,)
        if not bool(torch.isfinite(losses).all()):
            raise _not_finite("loss", batch.indices[~torch.isfinite(losses).cpu()].tolist())
        (losses.sum() / len(batch)).backward()  # type: ignore[no-untyped-call]  # torch does not type it
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    norm = clip_grad_norm_(parameters, gradient_clip if gradient_clip is not None else math.inf)
    if not bool(torch.isfinite(norm)):
        raise _not_finite("gradient", batch.indices.tolist())
    rate = float(optimiser.param_groups[0]["lr"])
    optimiser.step()
    schedule.step()
    return StepOutcome(
        loss_sum=float(losses.detach().sum()),
        gradient_norm=float(norm),
        learning_rate=rate,
        seconds=time.perf_counter() - began,
    )
