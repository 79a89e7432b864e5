"""One step of the optimiser, over all processes and forward passes."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, final

import attrs
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LRScheduler

from vietmer_core.batch import Batch
from vietmer_core.errors import NonFiniteError, NotKeptError, RunError
from vietmer_core.memory import memory_told
from vietmer_core.protocols import Loss
from vietmer_core.training.processes import Processes

MOST_SKIPPED: Final = 30
"""Steps in a row that fp16 may skip for want of range: the scale has been halved as often by then."""
REMEDY: Final = (
    "Set `training.auto_batch: true`, which finds how many utterances fit, or lower `training.micro_batch`, "
    "`sampler.batch_size` or its budget."
)


@attrs.frozen(kw_only=True)
class StepOutcome:
    """What one step gave.

    Attributes:
        loss_sum: Over the utterances of all processes.
        gradient_norm: Before clipping.
        learning_rate: Of the first group, at which the step was taken.
        was_skipped: Whether fp16 overflowed, so that no weight was changed.
        stops: Whether any process was asked to stop.
    """

    loss_sum: float
    gradient_norm: float
    learning_rate: float
    was_skipped: bool = False
    stops: bool = False


def targets(batch: Batch) -> Tensor:
    """Soft labels `(batch, classes)` where the batch has any, else classes `(batch,)`."""
    found = batch.labels if batch.soft_labels is None else batch.soft_labels
    assert found is not None
    return found


def _size(batch: Batch) -> str:
    frames, tokens = batch.audio.features.shape[1], batch.text.features.shape[1]
    return f"{len(batch)} utterances of up to {frames} frames and {tokens} tokens"


@final
class Stepper:
    """Takes the steps of a run in one process.

    Args:
        processes: All of the run.
        forward: Logits of a batch, wrapped for the processes.
        loss: One number an utterance.
        optimiser: Of the model's parameters, wrapped by Accelerate.
        schedule: Of the optimiser's rates.
        gradient_clip: Largest norm of the gradient; None clips nothing.
        absent: What a process runs that has no part in a step.
    """

    def __init__(
        self,
        *,
        processes: Processes,
        forward: nn.Module,
        loss: Loss,
        optimiser: Any,
        schedule: LRScheduler,
        gradient_clip: float | None,
        absent: Callable[[], Batch],
    ) -> None:
        self._processes = processes
        self._forward = forward
        self._loss = loss
        self._optimiser = optimiser
        self._schedule = schedule
        self._clip = math.inf if gradient_clip is None else gradient_clip
        self._absent = absent
        self._parameters = [value for group in optimiser.param_groups for value in group["params"]]
        self._skipped = 0

    def take(
        self, batches: Sequence[Batch], *, num_utterances: int, num_passes: int = 1, is_asked_to_stop: bool = False
    ) -> StepOutcome:
        """Forward, backward, clip, step. The summed loss is divided by the number of utterances of all processes.

        Args:
            batches: Of this process, with labels; each is a forward pass.
            num_utterances: Of the step, over all processes.
            num_passes: Forward passes that this process makes at least.
            is_asked_to_stop: Told to all processes.

        Raises:
            NonFiniteError: if the loss or the gradient is not finite; no weight has been changed then.
            RunError: if the memory does not suffice.
        """
        self._optimiser.zero_grad()
        passes = max(1, num_passes, len(batches))
        losses, bad = self._accumulate(batches, num_utterances=num_utterances, num_passes=passes)
        loss_sum, num_bad, asked = self._processes.total(losses, len(bad), is_asked_to_stop)
        if num_bad:
            raise self._not_finite("loss", bad)
        self._processes.accelerator.unscale_gradients()
        norm = _number(clip_grad_norm_(self._parameters, self._clip))
        if not math.isfinite(norm):
            self._require_scaler(batches)
        rate = float(self._optimiser.param_groups[0]["lr"])
        self._update()
        was_skipped = bool(self._optimiser.step_was_skipped)
        self._skipped = self._skipped + 1 if was_skipped else 0
        if not was_skipped:
            self._schedule.step()
        return StepOutcome(
            loss_sum=loss_sum,
            gradient_norm=norm,
            learning_rate=rate,
            was_skipped=was_skipped,
            stops=bool(asked),
        )

    def _update(self) -> None:
        """Change the weights.

        Raises:
            NotKeptError: if the memory does not suffice, so that some weights may be changed and others not.
        """
        try:
            with memory_told("Choose a smaller model, or train less of it.", what="the states of the optimiser"):
                self._optimiser.step()
        except RunError as error:
            raise NotKeptError(str(error)) from error

    def _accumulate(self, batches: Sequence[Batch], *, num_utterances: int, num_passes: int) -> tuple[float, list[int]]:
        """Gradients of all passes: the summed loss, and the positions of utterances whose loss is not finite."""
        device, losses, found = self._processes.device, [], []
        world_size = self._processes.world_size  # the gradients of several processes are averaged
        for number in range(num_passes):
            batch = batches[number] if number < len(batches) else None
            with self._syncing(is_last=number == num_passes - 1):
                if batch is None:
                    logits = self._forward(self._absent().to(device))  # (1, classes)
                    self._processes.accelerator.backward(logits.sum() * 0.0)
                    continue
                with memory_told(REMEDY, what=f"a pass of {_size(batch)}"):
                    moved = batch.to(device)
                    logits = self._forward(moved)  # (batch, classes)
                    loss = self._loss(logits, targets(moved))  # (batch,)
                    self._processes.accelerator.backward(loss.sum() * world_size / num_utterances)
                losses.append(loss.detach().double().sum())
                found.append(torch.isfinite(loss.detach()))
        if not losses:
            return 0.0, []
        total = float(torch.stack(losses).sum())
        if math.isfinite(total):
            return total, []
        rows = [batch.indices[~finite.cpu()].tolist() for batch, finite in zip(batches, found, strict=True)]
        return total, [index for part in rows for index in part]

    def _syncing(self, *, is_last: bool) -> AbstractContextManager[Any]:
        """Gradients meet those of the other processes in the last pass alone."""
        if is_last or self._processes.world_size == 1:
            return nullcontext()
        unsynced: AbstractContextManager[Any] = self._processes.accelerator.no_sync(self._forward)
        return unsynced

    def _require_scaler(self, batches: Sequence[Batch]) -> None:
        if self._processes.accelerator.scaler is None or self._skipped >= MOST_SKIPPED:
            raise self._not_finite("gradient", [index for batch in batches for index in batch.indices.tolist()])

    def _not_finite(self, what: str, rows: list[int]) -> NonFiniteError:
        everywhere = self._processes.gathered(rows)
        return NonFiniteError(what, indices=sorted({index for part in everywhere for index in part}))


def _number(norm: Tensor) -> float:
    whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    return float(whole)
