"""The training loop: epochs of steps, a validation after each, a checkpoint at every point from which to continue."""

import time
from contextlib import suppress
from typing import Any, Literal, final

import attrs
import pluggy
import torch

from vietmer_core.assembly import count_parameters, part_seed
from vietmer_core.data.loader import iterate
from vietmer_core.errors import NonFiniteError, RunError, VietmerError
from vietmer_core.evaluation.metrics import score
from vietmer_core.evaluation.predictions import predict_split, prediction_rows, write_rows
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord
from vietmer_core.training.checkpoint import Progress, save_checkpoint
from vietmer_core.training.experiment import Experiment
from vietmer_core.training.interrupts import Interrupts
from vietmer_core.training.observers import observing, tell
from vietmer_core.training.optimisation import make_optimiser
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.steps import StepOutcome, take_step
from vietmer_core.training.weights import load_model_state, model_state

Outcome = Literal["finished", "stopped_early", "interrupted"]


@final
class TrainingLoop:
    """Trains one experiment in one run folder.

    Args:
        experiment: What to train.
        folder: Where to keep it.
        manager: Hooks to tell.
        state: A checkpoint to continue from.
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        folder: RunFolder,
        manager: pluggy.PluginManager,
        state: dict[str, Any] | None = None,
    ) -> None:
        self._experiment = experiment
        self._folder = folder
        self._manager = manager
        self._progress = Progress()
        self._cut: dict[int, int] = {}
        self._padded: dict[int, int] = {}
        self._training = experiment.spec.training
        self._num_steps = experiment.batches.total(self._training.epochs)
        self._optimiser, self._schedule = make_optimiser(experiment.model, self._training, total_steps=self._num_steps)
        self._began = time.perf_counter()
        torch.manual_seed(part_seed(experiment.spec.seed, "training"))
        if state is not None:
            self._restore(state)

    def run(self, observers: list[object]) -> FinishRecord:
        """Train to the end, to an early stop, or to Ctrl-C."""
        with observing(self._manager, observers), Interrupts() as interrupts:
            try:
                tell(self._manager, "start_run", run=self._run_record())
                finish = self._finish(self._epochs(interrupts))
            except BaseException as error:
                self._fail(error)
                raise
            tell(self._manager, "finish_run", finish=finish)
        return finish

    def _fail(self, error: BaseException) -> None:
        """Keep what has been computed: a user's mistake leaves the run between two steps, from which it resumes."""
        if isinstance(error, VietmerError) and not isinstance(error, NonFiniteError) and self._progress.step:
            with suppress(RunError):  # a full disk has stopped the run already
                self._save(self._folder.last_checkpoint)
        outcome: Literal["interrupted", "failed"] = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        tell(self._manager, "finish_run", finish=self._finish(outcome, message=str(error)))

    def _epochs(self, interrupts: Interrupts) -> Outcome:
        loaders = self._experiment.train_loader(), self._experiment.valid_loader()
        batches, training = self._experiment.batches, self._training
        while batches.epoch < training.epochs:
            if training.patience is not None and self._progress.epochs_since_best >= training.patience:
                return "stopped_early"
            if interrupts.is_requested or not self._steps(loaders[0], interrupts):
                self._save(self._folder.last_checkpoint)
                return "interrupted"
            self._validate(loaders[1])
        return "finished"

    def _steps(self, loader: Any, interrupts: Interrupts) -> bool:
        """The steps left in this epoch; False if Ctrl-C came before its end."""
        experiment, progress, batches = self._experiment, self._progress, self._experiment.batches
        experiment.model.train()
        for _, backbone in backbones(experiment.model):
            backbone.begin_epoch(batches.epoch)
        seed = part_seed(experiment.spec.seed, "draws")
        for batch in iterate(loader, on_cut=self._cut.update, on_padded=self._padded.update):
            outcome = take_step(
                batch.drawn(seed=seed, epoch=batches.epoch),
                forward=experiment.forward,
                loss=experiment.loss,
                optimiser=self._optimiser,
                schedule=self._schedule,
                gradient_clip=self._training.gradient_clip,
            )
            batches.consume()
            progress.step += 1
            progress.loss_sum += outcome.loss_sum
            progress.num_utterances += len(batch)
            self._tell_step(outcome, len(batch), experiment.padding_efficiency(batch))
            if self._training.checkpoint_every and progress.step % self._training.checkpoint_every == 0:
                self._save_periodic()
            if interrupts.is_requested and batches.consumed < len(batches):
                return False
        return True

    def _validate(self, loader: Any) -> None:
        """Score the validation split, keep the best weights, and move on to the next epoch."""
        experiment, progress, epoch = self._experiment, self._progress, self._experiment.batches.epoch
        labels = experiment.spec.labels
        found = predict_split(
            experiment.model,
            loader,
            num_classes=len(labels),
            device=experiment.device,
            passes=experiment.passes if experiment.spec.shapes.prediction == "canonical" else None,
        )
        metrics = score(found.probabilities, found.truth, labels).summary
        value = metrics[self._training.monitor]
        is_best = self._is_better(value)
        if is_best:
            best = {**model_state(experiment.model), "epoch": epoch, "metrics": metrics}
            save_checkpoint(self._folder.best_checkpoint, best)
            write_rows(self._folder.predictions_path("valid"), prediction_rows(found, experiment.valid, labels))
            progress.best_value, progress.best_epoch, progress.epochs_since_best = value, epoch, 0
        else:
            progress.epochs_since_best += 1
        record = EpochRecord(
            epoch=epoch,
            step=progress.step,
            train_loss=progress.loss_sum / max(1, progress.num_utterances),
            valid_metrics=metrics,
            is_best=is_best,
            seconds=self._seconds(),
        )
        progress.loss_sum, progress.num_utterances = 0.0, 0
        experiment.batches.set_epoch(epoch + 1)
        tell(self._manager, "end_epoch", epoch=record)
        self._save(self._folder.last_checkpoint)

    def _is_better(self, value: float) -> bool:
        best = self._progress.best_value
        if best is None:
            return True
        return value < best if self._training.monitor == "loss" else value > best

    def _seconds(self) -> float:
        return self._progress.seconds + time.perf_counter() - self._began

    def _save(self, path: Any) -> None:
        state: dict[str, Any] = {
            **model_state(self._experiment.model),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "batches": self._experiment.batches.state_dict(),
            "progress": attrs.asdict(attrs.evolve(self._progress, seconds=self._seconds())),
            "cut": self._cut,
            "padded": self._padded,
            "random": {"cpu": torch.get_rng_state()},
        }
        if self._experiment.device.type == "cuda":
            state["random"]["cuda"] = torch.cuda.get_rng_state(self._experiment.device)
        save_checkpoint(path, state)

    def _save_periodic(self) -> None:
        self._save(self._folder.periodic_checkpoint(self._progress.step))
        self._save(self._folder.last_checkpoint)
        for old in self._folder.periodic_checkpoints()[: -self._training.keep_checkpoints]:
            old.unlink()

    def _restore(self, state: dict[str, Any]) -> None:
        path = self._folder.last_checkpoint
        try:
            load_model_state(self._experiment.model, state, path=path)
            self._optimiser.load_state_dict(state["optimiser"])
            self._schedule.load_state_dict(state["schedule"])
            self._experiment.batches.load_state_dict(state["batches"])
            self._progress, self._cut = Progress(**state["progress"]), dict(state["cut"])
            self._padded = dict(state.get("padded", {}))
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            detail = " ".join(str(error).split())[:200]
            raise RunError(f"{path}: the checkpoint does not fit the run's spec: {detail}. Train anew.") from None
        torch.set_rng_state(state["random"]["cpu"].cpu())
        if "cuda" in state["random"] and self._experiment.device.type == "cuda":
            torch.cuda.set_rng_state(state["random"]["cuda"].cpu(), self._experiment.device)

    def _run_record(self) -> RunRecord:
        parameters, _ = count_parameters(self._experiment.model)
        given = (value for group in self._optimiser.param_groups for value in group["params"])
        return RunRecord(
            folder=self._folder.path,
            name=self._experiment.spec.name,
            num_epochs=self._training.epochs,
            num_steps=self._num_steps,
            steps_per_epoch=len(self._experiment.batches),
            first_epoch=self._experiment.batches.epoch,
            first_step=self._progress.step,
            monitor=self._training.monitor,
            num_parameters=parameters,
            num_trainable_parameters=sum(parameter.numel() for parameter in given),
            spec=self._experiment.spec.resolved(),
        )

    def _tell_step(self, outcome: StepOutcome, num_utterances: int, efficiency: float) -> None:
        batches = self._experiment.batches
        record = StepRecord(
            epoch=batches.epoch,
            step=self._progress.step,
            step_in_epoch=batches.consumed,
            loss=outcome.loss_sum / num_utterances,
            gradient_norm=outcome.gradient_norm,
            learning_rate=outcome.learning_rate,
            num_utterances=num_utterances,
            padding_efficiency=efficiency,
            seconds=outcome.seconds,
        )
        tell(self._manager, "end_step", step=record)

    def _finish(self, outcome: Outcome | Literal["failed"], *, message: str = "") -> FinishRecord:
        return FinishRecord(
            outcome=outcome,
            epoch=self._experiment.batches.epoch,
            step=self._progress.step,
            best_epoch=self._progress.best_epoch,
            best_value=self._progress.best_value,
            seconds=self._seconds(),
            message=message,
            transcripts_cut=len(self._cut),
            tokens_cut=sum(self._cut.values()),
            audio_padded=len(self._padded),
            samples_added=sum(self._padded.values()),
        )
