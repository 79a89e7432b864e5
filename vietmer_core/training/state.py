"""`TrainingState`: all that changes while a run trains, to be kept in a checkpoint and to continue from one."""

from pathlib import Path
from typing import Any, cast, final

import attrs
from torch import nn
from torch.utils.data import DataLoader

from vietmer_core.errors import RunError
from vietmer_core.model import EmotionModel
from vietmer_core.training.checkpoint import Progress
from vietmer_core.training.experiment import Experiment
from vietmer_core.training.forward import ForwardPass, absent_batch, widths_of_a_second
from vietmer_core.training.optimisation import make_optimiser
from vietmer_core.training.processes import Processes
from vietmer_core.training.randomness import random_states, restore_random_states, seed_everything
from vietmer_core.training.sharded_state import load_optimiser_state, optimiser_state
from vietmer_core.training.sharding import is_sharded, shared_out
from vietmer_core.training.steps import Stepper
from vietmer_core.training.weights import load_model_state, model_state


@attrs.define(kw_only=True)
class Noted:
    """What of the training split did not fit, by position: tokens cut, samples added, why it was left out."""

    cut: dict[int, int] = attrs.field(factory=dict)
    padded: dict[int, int] = attrs.field(factory=dict)
    skipped: dict[int, str] = attrs.field(factory=dict)

    def merged(self, others: list["Noted"]) -> "Noted":
        """What several processes have noted."""
        whole = Noted()
        for other in (self, *others):
            whole.cut |= other.cut
            whole.padded |= other.padded
            whole.skipped |= other.skipped
        return whole


@final
class TrainingState:
    """The moving parts of a run in one process.

    Args:
        experiment: What is trained.
        processes: All of the run.
        checkpoint: What `snapshot` gave, to go on from. Peak rates, decay and the schedule are those of the spec, which
            may have changed since.
        path: Of the checkpoint's file, for the sentence.

    Raises:
        RunError: if the checkpoint does not fit the spec.

    Attributes:
        progress: How far the run is.
        noted: What of the training split did not fit.
        passes: The forward pass.
        stepper: Takes the steps.
        num_steps: Of all epochs.
    """

    def __init__(
        self, experiment: Experiment, processes: Processes, *, checkpoint: dict[str, Any] | None = None, path: Path
    ) -> None:
        self._experiment = experiment
        self._processes = processes
        training = experiment.spec.training
        self.progress = Progress()
        self.noted = Noted()
        self.num_steps = experiment.batches.total(training.epochs)
        optimiser, self._schedule = make_optimiser(experiment.model, training, total_steps=self.num_steps)
        self._peaks = [(float(group["initial_lr"]), group["weight_decay"]) for group in optimiser.param_groups]
        self.passes = ForwardPass(
            experiment.model,
            passes=experiment.passes if experiment.spec.shapes.training == "canonical" else None,
            widths=widths_of_a_second(experiment.frontends) if self.is_sharded else None,
        )
        epoch = 0
        if checkpoint is not None:  # before the processes share the model out
            load_model_state(experiment.model, checkpoint, path=path)
            epoch = int(checkpoint.get("batches", {}).get("epoch", 0))
        self._optimiser: Any
        self._forward: nn.Module
        self._forward, self._optimiser = shared_out(processes.accelerator, self.passes, optimiser, epoch=epoch)
        self.stepper = Stepper(
            processes=processes,
            forward=self._forward,
            loss=experiment.loss,
            optimiser=self._optimiser,
            schedule=self._schedule,
            gradient_clip=training.gradient_clip,
            absent=lambda: absent_batch(experiment.frontends),
        )
        seed_everything(experiment.spec.seed, rank=processes.rank)
        if checkpoint is not None:
            self._restore(checkpoint, path=path)

    @property
    def learning_rate(self) -> float:
        """Of the first group, at which the next step is taken."""
        return float(self._optimiser.param_groups[0]["lr"])

    @property
    def is_sharded(self) -> bool:
        """Whether each process holds a piece of the model only."""
        return is_sharded(self._processes.accelerator)

    @property
    def evaluated(self) -> EmotionModel:
        """What predicts: the model, or, where the processes hold pieces of it, what gathers them."""
        return cast("EmotionModel", self._forward) if self.is_sharded else self._experiment.model

    def valid_loader(self) -> DataLoader[Any]:
        """What of the validation split this process predicts: its part, or all where the model is in pieces."""
        if self.is_sharded:  # each pass fetches the pieces, so all processes must make the same ones
            return self._experiment.valid_loader()
        return self._experiment.valid_loader(rank=self._processes.rank, world_size=self._processes.world_size)

    @property
    def num_trainable(self) -> int:
        """Parameters that some epoch trains."""
        return sum(value.numel() for group in self._optimiser.param_groups for value in group["params"])

    def snapshot(self, *, seconds: float) -> dict[str, Any]:
        """All that a run needs to go on; every process must ask for it together."""
        scaler = self._processes.accelerator.scaler
        self.noted = self.noted.merged(self._processes.gathered(self.noted))
        return {
            **model_state(self._experiment.model),
            "optimiser": optimiser_state(self._forward, self._optimiser, sharded=self.is_sharded),
            "schedule": self._schedule.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "batches": self._experiment.batches.state_dict(),
            "num_steps": self.num_steps,
            "progress": attrs.asdict(attrs.evolve(self.progress, seconds=seconds)),
            "noted": attrs.asdict(self.noted),
            "random": self._processes.gathered(random_states(self._processes.device)),
        }

    def _restore(self, state: dict[str, Any], *, path: Path) -> None:
        try:
            load_optimiser_state(self._forward, self._optimiser, state["optimiser"], sharded=self.is_sharded)
            self._restore_schedule(state["schedule"])
            if state["scaler"] is not None and self._processes.accelerator.scaler is not None:
                self._processes.accelerator.scaler.load_state_dict(state["scaler"])
            self._experiment.batches.load_state_dict(state["batches"])
            self.progress = Progress(**state["progress"])
            self.noted = Noted(**{name: dict(values) for name, values in state["noted"].items()})
            states = state["random"]
            if self._processes.rank < len(states):
                restore_random_states(states[self._processes.rank], self._processes.device)
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            detail = " ".join(str(error).split())[:200]
            raise RunError(f"{path}: the checkpoint does not fit the run's spec: {detail}. Train anew.") from None

    def _restore_schedule(self, state: dict[str, Any]) -> None:
        self._schedule.load_state_dict({**state, "base_lrs": [peak for peak, _ in self._peaks]})
        factors = self._schedule.lr_lambdas
        for group, (peak, decay), factor in zip(self._optimiser.param_groups, self._peaks, factors, strict=True):
            group["initial_lr"], group["weight_decay"] = peak, decay
            group["lr"] = peak * factor(self._schedule.last_epoch)
