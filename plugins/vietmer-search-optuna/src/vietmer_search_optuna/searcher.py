"""A search by Optuna, in its SQLite storage.

Optuna does not keep the state of a sampler: one that goes on after a kill would draw the first numbers again. So the
sampler is made anew for each trial, from the seed and the number of the trial; what is proposed depends on these and on
the trials that have ended, whether the search was cut off between them or not.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from vietmer_core.ablation.search.searcher import Choice, Epochs, Range, Space, Study, TrialRecord, Value
from vietmer_core.ablation.search.searcher import TrialState as State
from vietmer_core.errors import RunError
from vietmer_search_optuna.plugin import OptunaParams

SEED_STEP: Final = 7919
"""A prime: the seeds of the trials of neighbouring seeds do not meet."""
STATES: Final[dict[TrialState, State]] = {
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
STORAGE_ERRORS: Final = (SQLAlchemyError, StorageInternalError)
TOLD: Final = {"finished": TrialState.COMPLETE, "failed": TrialState.FAIL, "pruned": TrialState.PRUNED}


@final
class OptunaSearcher:
    """Proposes trials by one of Optuna's samplers, and stops them by one of its pruners.

    Args:
        params: As the search gives them.
    """

    def __init__(self, params: OptunaParams) -> None:
        self._params = params
        optuna.logging.set_verbosity(optuna.logging.ERROR)

    def open(self, file: Path, /, *, name: str, space: Space, maximises: bool) -> Study:
        """As `vietmer_core.ablation.search.searcher.Searcher`."""
        return OptunaStudy(self._params, file, name=name, space=space, maximises=maximises)

    def is_hopeless(self, epochs: Epochs, /, *, finished: Sequence[Epochs], maximises: bool) -> bool:
        """As `vietmer_core.ablation.search.searcher.Searcher`."""
        if self._params.pruner == "none" or not epochs:
            return False
        study = optuna.create_study(direction=_direction(maximises))
        for other in finished:
            study.add_trial(create_trial(value=0.0, intermediate_values=dict(other)))
        trial = create_trial(state=TrialState.RUNNING, intermediate_values=dict(epochs))
        pruner = optuna.pruners.MedianPruner(
            n_startup_trials=self._params.pruner_startup_trials,
            n_warmup_steps=self._params.pruner_warmup_epochs,
        )
        return bool(pruner.prune(study, trial))


@final
class OptunaStudy:
    """The trials of one search.

    Args:
        params: As the search gives them.
        file: SQLite file; made where it is not there.
        name: Of the study in it.
        space: What is searched over.
        maximises: Whether more is better.
    """

    def __init__(self, params: OptunaParams, file: Path, /, *, name: str, space: Space, maximises: bool) -> None:
        self._params = params
        self._file = file
        self._distributions = {axis: distribution(domain) for axis, domain in space.items()}
        try:
            self._study = optuna.create_study(
                storage=f"sqlite:///{file}", study_name=name, direction=_direction(maximises), load_if_exists=True
            )
        except (*STORAGE_ERRORS, ValueError, RuntimeError) as error:
            raise self._unusable(error) from None

    def trials(self) -> Sequence[TrialRecord]:
        """As `vietmer_core.ablation.search.searcher.Study`."""
        try:
            return [record(trial) for trial in self._study.get_trials(deepcopy=False)]
        except STORAGE_ERRORS as error:
            raise self._unusable(error) from None

    def ask(self) -> TrialRecord:
        """As `vietmer_core.ablation.search.searcher.Study`."""
        try:
            known = self._study.get_trials(deepcopy=False)
            values: dict[str, Value] = self._proposed(known)
            trial = create_trial(state=TrialState.RUNNING, params=values, distributions=self._distributions)
            self._study.add_trial(trial)
        except (*STORAGE_ERRORS, ValueError) as error:
            raise self._unusable(error) from None
        return TrialRecord(number=len(known), values=values, state="running")

    def _proposed(self, known: Sequence[FrozenTrial]) -> dict[str, Value]:
        """What Optuna proposes after some trials.

        It is asked in a study in memory: in a file it keeps value by value, so that a kill would leave half a trial.
        """
        study = optuna.create_study(direction=self._study.direction, sampler=self._sampler(len(known)))
        study.add_trials(known)
        return dict(study.ask(self._distributions).params)

    def tell(
        self, number: int, /, *, state: Literal["finished", "failed", "pruned"], score: float | None, epochs: Epochs
    ) -> None:
        """As `vietmer_core.ablation.search.searcher.Study`."""
        try:
            found = self._study.get_trials(deepcopy=False)[number]
            trial = Trial(self._study, found._trial_id)  # noqa: SLF001  # Optuna has no other way back to a trial
            for epoch, value in epochs.items():
                if epoch not in found.intermediate_values:
                    trial.report(value, epoch)
            self._study.tell(number, score if state == "finished" else None, state=TOLD[state])
        except STORAGE_ERRORS as error:
            raise self._unusable(error) from None

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        seed = (self._params.seed * SEED_STEP + number) % 2**32
        if self._params.sampler == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=self._params.startup_trials)

    def _unusable(self, error: Exception) -> RunError:
        cause = error.__cause__ or error  # Optuna's own error says less than that of the database
        reason = (str(getattr(cause, "orig", cause)).strip() or type(cause).__name__).splitlines()[0].rstrip(".")
        return RunError(f"{self._file}: Optuna's storage cannot be used: {reason}. Restore the file or remove it.")


def distribution(domain: Range | Choice) -> BaseDistribution:
    """As Optuna calls it."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.levels)
    if domain.is_whole:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log, step=int(domain.step or 1))
    return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def record(trial: FrozenTrial) -> TrialRecord:
    """A trial without what only Optuna knows."""
    is_finished = trial.state == TrialState.COMPLETE
    return TrialRecord(
        number=trial.number,
        values=dict(trial.params),
        state=STATES[trial.state],
        score=trial.value if is_finished else None,
        epochs=dict(trial.intermediate_values),
    )


def _direction(maximises: bool) -> Literal["maximize", "minimize"]:
    return "maximize" if maximises else "minimize"
