"""The training loop: epochs of steps, a validation after each, a checkpoint at every point from which to continue."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, NoReturn, final

import pluggy

from vietmer_core.assembly import part_seed
from vietmer_core.batch import Batch
from vietmer_core.data.batches import Share
from vietmer_core.data.loader import Loaded, draws
from vietmer_core.errors import ElsewhereError, NonFiniteError, NotKeptError, RunError, VietmerError
from vietmer_core.freed_memory import freed_memory_kept
from vietmer_core.memory import peak_memory_bytes
from vietmer_core.modality_dropout import drop_modalities
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.records import EpochRecord, FinishRecord, StepRecord
from vietmer_core.training.determinism import deterministic
from vietmer_core.training.experiment import Experiment
from vietmer_core.training.failures import save_failure
from vietmer_core.training.faults import Faults
from vietmer_core.training.history import Position
from vietmer_core.training.interrupts import Interrupts
from vietmer_core.training.keeping import Keeper
from vietmer_core.training.observers import Event, observing, tell
from vietmer_core.training.processes import Processes
from vietmer_core.training.randomness import random_states, restore_random_states
from vietmer_core.training.resuming import effects
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_records import finish_record, run_record
from vietmer_core.training.state import TrainingState
from vietmer_core.training.steps import StepOutcome
from vietmer_core.training.validation import validate

Outcome = Literal["finished", "stopped_early", "interrupted"]


@final
class TrainingLoop:
    """Trains one experiment in one run folder.

    Args:
        experiment: What to train.
        processes: Those that train it together.
        folder: Where to keep it.
        manager: Hooks to tell.
        facts: What a checkpoint says of the run it belongs to (`vietmer_core.training.resuming`).
        checkpoint: One to continue from.
        stop_at: A position, epoch and steps of it, at which to stop, as Ctrl-C would.
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        processes: Processes,
        folder: RunFolder,
        manager: pluggy.PluginManager,
        facts: dict[str, Any],
        checkpoint: dict[str, Any] | None = None,
        stop_at: Position | None = None,
    ) -> None:
        self._experiment = experiment
        self._processes = processes
        self._folder = folder
        self._manager = manager
        self._training = experiment.spec.training
        self._stop_at = stop_at
        self._untold: VietmerError | None = None
        self._began = self._step_began = time.perf_counter()
        self._state = TrainingState(experiment, processes, checkpoint=checkpoint, path=folder.last_checkpoint)
        self._keeper = Keeper(experiment, self._state, processes=processes, folder=folder, facts=facts)
        self._faults = Faults(experiment, self._state, processes=processes)

    def effects(self, checkpoint: dict[str, Any] | None) -> list[str]:
        """What the spec and the processes change of a run that goes on from a checkpoint, a line for each."""
        if checkpoint is None:
            return []
        rate, world_size = self._state.learning_rate, self._processes.world_size
        return list(effects(checkpoint, num_steps=self._state.num_steps, rate=rate, world_size=world_size))

    def run(self, observers: list[object]) -> FinishRecord:
        """Train to the end, to an early stop, or to Ctrl-C."""
        with (
            observing(self._manager, observers),
            Interrupts() as interrupts,
            freed_memory_kept(),
            deterministic(is_wanted=self._training.deterministic),
        ):
            try:
                self._tell("start_run", run=run_record(self._experiment, self._state, folder=self._folder))
                with self._processes.lost_told():
                    finish = self._finish(self._epochs(interrupts))
                self._raise_untold()
            except BaseException as error:
                self._fail(error)
                raise
            self._tell("finish_run", finish=finish)
        return finish

    def _tell(self, event: Event, **record: Any) -> None:
        """Tell the observers, in the main process; where there are others, a failure ends the run once all have saved.

        Raises:
            RunError: if an observer of a run of one process fails.
        """
        if not self._processes.is_main:
            return
        try:
            tell(self._manager, event, **record)
        except VietmerError as error:
            if self._processes.world_size == 1:
                raise
            self._untold = self._untold or error

    def _raise_untold(self) -> None:
        if self._untold is not None:
            raise self._untold

    def _is_asked(self, interrupts: Interrupts) -> bool:
        """Whether this process wants the run to stop after a step."""
        return interrupts.is_requested or self._untold is not None

    def _fail(self, error: BaseException) -> None:
        """Keep what has been computed: a user's mistake leaves the run between two steps, from which it resumes."""
        is_kept = isinstance(error, VietmerError) and not isinstance(error, NotKeptError)
        if is_kept and self._state.progress.step and self._processes.has_agreed_on(error):
            with suppress(RunError):  # a full disk has stopped the run already
                self._keeper.save_last(seconds=self._seconds())
        outcome: Literal["interrupted", "failed"] = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        with suppress(RunError):  # what ended the run is what its user is told
            self._tell("finish_run", finish=self._finish(outcome, message=str(error)))

    def _epochs(self, interrupts: Interrupts) -> Outcome:
        processes, batches, training = self._processes, self._experiment.batches, self._training
        loader = self._experiment.train_loader()
        valid_loader = self._state.valid_loader()
        while batches.epoch < training.epochs:
            if training.patience is not None and self._state.progress.epochs_since_best >= training.patience:
                return "stopped_early"
            stops = bool(processes.total(self._is_asked(interrupts))[0]) or self._is_at_stop
            if stops or not self._steps(loader, interrupts):
                self._keeper.save_last(seconds=self._seconds())
                return "interrupted"
            self._end_epoch(valid_loader)
        return "finished"

    def _steps(self, loader: Any, interrupts: Interrupts) -> bool:
        """The steps left in this epoch; False if the run was asked to stop before its end."""
        experiment, batches, progress = self._experiment, self._experiment.batches, self._state.progress
        experiment.model.train()
        for _, backbone in backbones(experiment.model):
            backbone.begin_epoch(batches.epoch)
        drawn = draws(loader)
        self._step_began = time.perf_counter()
        for share in batches.shares():
            loaded = [next(drawn) for _ in share.batches]
            outcome = self._step(share, loaded, is_asked=self._is_asked(interrupts))
            batches.consume()
            progress.step += 1
            if outcome is not None:
                self._tell_step(*outcome)
            if self._training.checkpoint_every and progress.step % self._training.checkpoint_every == 0:
                self._keeper.save_periodic(seconds=self._seconds())
            is_asked = outcome[0].stops if outcome is not None else False
            is_asked |= interrupts.is_requested and self._processes.world_size == 1
            if self._is_at_stop or (is_asked and batches.consumed < len(batches)):
                return False
        for _ in drawn:  # nothing is left: the loader's processes are told that the epoch has ended
            raise AssertionError
        return True

    @property
    def _is_at_stop(self) -> bool:
        batches = self._experiment.batches
        return (batches.epoch, batches.consumed) == self._stop_at

    def _step(
        self, share: Share, loaded: list[Loaded], *, is_asked: bool
    ) -> tuple[StepOutcome, int, tuple[int, int]] | None:
        """One step: its outcome, utterances of all processes, real and computed frames; None where nothing is left."""
        batches = list(self._drawn(self._faults.kept(loaded)))
        num_utterances = self._faults.count(batches, planned=share.num_utterances)
        if not num_utterances:
            return None
        states = random_states(self._processes.device)
        try:
            outcome = self._state.stepper.take(
                batches, num_utterances=num_utterances, num_passes=self._passes(share), is_asked_to_stop=is_asked
            )
        except NonFiniteError as error:
            self._save_failure(error, batches, states)
        except VietmerError:  # nothing was changed: the run stands between two steps again
            restore_random_states(states, self._processes.device)
            raise
        self._state.progress.loss_sum += outcome.loss_sum
        self._state.progress.num_utterances += num_utterances
        frames = [self._state.passes.frames(batch) for batch in batches] or [(1, 1)]
        return outcome, num_utterances, (sum(real for real, _ in frames), sum(all_ for _, all_ in frames))

    def _save_failure(self, error: NonFiniteError, batches: list[Batch], states: dict[str, Any]) -> NoReturn:
        """Save the step of all processes, and end the run with what is not finite.

        Raises:
            NonFiniteError: in the main process.
            ElsewhereError: in the others.
        """
        told = save_failure(
            error,
            batches,
            self._experiment,
            processes=self._processes,
            folder=self._folder,
            step=self._state.progress.step,
            random=states,
        )
        if not self._processes.is_main:
            raise ElsewhereError(str(told), exit_code=told.exit_code) from None
        raise told from None

    def _drawn(self, batches: list[Batch]) -> Iterator[Batch]:
        seed, epoch = part_seed(self._experiment.spec.seed, "draws"), self._experiment.batches.epoch
        rates = self._experiment.spec.augment.modality_dropout
        return (drop_modalities(batch.drawn(seed=seed, epoch=epoch), rates) for batch in batches)

    def _passes(self, share: Share) -> int:
        """Forward passes that this process makes at least: where pieces of the model are fetched, all make as many."""
        return share.num_passes if self._state.is_sharded else 1

    def _end_epoch(self, loader: Any) -> None:
        """Score the validation split, keep the best weights, and move on to the next epoch."""
        experiment, progress, epoch = self._experiment, self._state.progress, self._experiment.batches.epoch
        found, metrics = validate(experiment, self._state, loader, processes=self._processes)
        is_best = self._is_better(metrics[self._training.monitor])
        if is_best:
            self._keeper.save_best(found, metrics)
            progress.best_value, progress.best_epoch = metrics[self._training.monitor], epoch
            progress.epochs_since_best = 0
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
        self._tell("end_epoch", epoch=record)
        self._keeper.save_last(seconds=self._seconds())

    def _is_better(self, value: float) -> bool:
        best = self._state.progress.best_value
        if best is None:
            return True
        return value < best if self._training.monitor == "loss" else value > best

    def _seconds(self) -> float:
        return self._state.progress.seconds + time.perf_counter() - self._began

    def _tell_step(self, outcome: StepOutcome, num_utterances: int, frames: tuple[int, int]) -> None:
        batches, now = self._experiment.batches, time.perf_counter()
        record = StepRecord(
            epoch=batches.epoch,
            step=self._state.progress.step,
            step_in_epoch=batches.consumed,
            loss=outcome.loss_sum / num_utterances,
            gradient_norm=outcome.gradient_norm,
            learning_rate=outcome.learning_rate,
            num_utterances=num_utterances,
            padding_efficiency=frames[0] / max(1, frames[1]),
            seconds=now - self._step_began,
            memory_bytes=peak_memory_bytes(self._processes.device),
        )
        self._step_began = now
        self._tell("end_step", step=record)

    def _finish(self, outcome: Outcome | Literal["failed"], *, message: str = "") -> FinishRecord:
        return finish_record(self._experiment, self._state, outcome=outcome, seconds=self._seconds(), message=message)
