"""Running the trials of a search: each once, one that was cut off from its checkpoint, a hopeless one not to its end.

A trial is stopped from here, not by an observer in its process: what its run folder has of each epoch is read while it
runs. Whether it is hopeless follows from its epochs and those of the trials before it, so that the same epoch is found
however late one looks, and epochs beyond it do not count.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from types import MappingProxyType
from typing import Final, Literal, final

import attrs

from vietmer_core.ablation.building import build_executor
from vietmer_core.ablation.caches import shared_caches
from vietmer_core.ablation.cell import Cell, title_of
from vietmer_core.ablation.executor import Executor, Job, JobEnd
from vietmer_core.ablation.job_folder import CELL_FILE, OUTDATED, JobFolder, read_json
from vietmer_core.ablation.matrix_folder import CELLS
from vietmer_core.ablation.opened_data import reading_of
from vietmer_core.ablation.running import WAIT_SECONDS, Board, MatrixRunner
from vietmer_core.ablation.search.folder import STUDY_FILE, SearchFolder, last_counted
from vietmer_core.ablation.search.loading import Search, as_yaml, described
from vietmer_core.ablation.search.searcher import Epochs, Searcher, Study, TrialRecord
from vietmer_core.errors import OutdatedError, SpecError
from vietmer_core.spec_document import SpecDocument
from vietmer_core.spec_loading import validate_document

LOOK_SECONDS: Final = 0.3
NOT_AUDITED: Final = {"verdict": "not audited", "leaks": [], "cues": []}
LESS_IS_BETTER: Final = ("loss",)
NO_EPOCHS: Final[Epochs] = MappingProxyType({})


@attrs.define(kw_only=True, eq=False)
class _Begun:
    """A trial that runs."""

    trial: TrialRecord
    cell: Cell
    executor: Executor
    finished: Sequence[Epochs]
    seen: int = 0
    is_hopeless: bool = False


@final
class SearchRunner:
    """Runs trials until there are as many as the search names.

    Args:
        search: What is searched.
        folder: Of the search, claimed.
        searcher: Proposes the trials.
        stops: Whether to stop.
        say: Takes a line for the user.
    """

    def __init__(
        self,
        search: Search,
        folder: SearchFolder,
        *,
        searcher: Searcher,
        stops: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._search = search
        self._folder = folder
        self._searcher = searcher
        self._stops = stops
        self._say = say
        self._monitor = search.whole_spec({}).training.monitor
        self._maximises = self._monitor not in LESS_IS_BETTER
        self._cells = folder.cells_of_trials()
        self._data = self._data_of_trials()
        self._idle: list[Executor] = []
        self._study = self._open()

    def _open(self) -> Study:
        spec = self._search.spec
        self._folder.keep_description(
            {
                "axes": described(spec.axes),
                "search": spec.search.model_dump(mode="json"),
                "monitor": self._monitor,
                "base": self._search.base_digest(),
            }
        )
        file = self._folder.path / STUDY_FILE
        return self._searcher.open(file, name=spec.name, space=self._search.space(), maximises=self._maximises)

    @property
    def monitor(self) -> str:
        """The validation metric that is searched for."""
        return self._monitor

    def trials(self) -> Sequence[TrialRecord]:
        """Every trial so far."""
        return self._study.trials()

    def best(self) -> TrialRecord | None:
        """The finished trial with the best score, the first of several; None where none has finished."""
        finished = [trial for trial in self.trials() if trial.state == "finished" and trial.score is not None]
        sign = 1 if self._maximises else -1
        return max(finished, key=lambda trial: (sign * (trial.score or 0.0), -trial.number), default=None)

    def run(self) -> None:
        """Run the trials that are missing.

        Raises:
            VietmerError: if nothing can be run at all, a folder cannot be written, or data or code has changed.
        """
        parallel = self._search.spec.parallel
        active: dict[Future[list[JobEnd]], _Begun] = {}
        with ThreadPoolExecutor(parallel) as pool:
            try:
                while True:
                    while len(active) < parallel and not self._stops():
                        begun = self._next({begun.trial.number for begun in active.values()})
                        if begun is None:
                            break
                        active[pool.submit(self._do, begun)] = begun
                    if not active:
                        break
                    done, _ = wait(active, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._finish(active.pop(future), future.result())
            finally:
                for begun in active.values():
                    begun.is_hopeless = True  # whatever ended this loop: they stop, too
        self._write()

    def _next(self, active: set[int]) -> _Begun | None:
        """The next trial to run: one that was cut off, else a new one; None where there are enough."""
        while True:
            trials = self.trials()
            cut_off = [trial for trial in trials if trial.state == "running" and trial.number not in active]
            if not cut_off and len(trials) >= self._search.spec.trials:
                return None
            trial = cut_off[0] if cut_off else self._study.ask()
            try:
                cell = self._search.cell(trial.values)
            except SpecError as error:
                self._tell(trial, state="failed", said=" ".join(str(error).split()))
                continue
            self._require_same_data(cell)
            self._cells[trial.number] = cell.name
            self._folder.matrix.write_cell(cell, audit=NOT_AUDITED)
            executor = self._executor()
            self._prepare(cell, executor)
            finished = [other.epochs for other in trials if other.state == "finished"]
            return _Begun(trial=trial, cell=cell, executor=executor, finished=finished)

    def _data_of_trials(self) -> dict[str, Mapping[str, str]]:
        """The fingerprints of the data of the trials so far, by how it is read."""
        catalogue, found = self._search.catalogue, dict[str, Mapping[str, str]]()
        for name in self._cells.values():
            document = read_json(self._folder.path / CELLS / name / CELL_FILE)
            if document is not None:
                read = SpecDocument(values=document["spec"], places={}, files=(name,))
                with suppress(SpecError):  # of another version of a plugin
                    spec = validate_document(read, catalogue=catalogue)
                    found.setdefault(reading_of(spec, catalogue), document["data"])
        return found

    def _require_same_data(self, cell: Cell) -> None:
        """Refuse to score a trial on other data than those before it, which it would be compared with.

        Raises:
            OutdatedError: if a split that is read in the same way has changed.
        """
        known = self._data.setdefault(reading_of(cell.spec, self._search.catalogue), cell.data)
        changed = [name for name, found in cell.data.items() if known.get(name) != found]
        if changed:
            raise OutdatedError(
                f"{self._folder.path}: the data of {' and '.join(changed)} has changed since the search was begun, so "
                "that another trial could not be compared with those before it. Restore the data and give the same "
                "command, or search anew under another `name`."
            )

    def _executor(self) -> Executor:
        """One for each trial that runs at a time, so that each can be stopped alone."""
        if self._idle:
            return self._idle.pop()
        return build_executor(self._search.spec.executor, self._search.catalogue)

    def _prepare(self, cell: Cell, executor: Executor) -> None:
        """Compute the features that trials share, once."""
        board = Board([cell], self._folder.matrix)
        runner = MatrixRunner(board, executor=executor, stops=self._stops, say=self._say)
        runner.prepare(shared_caches([cell], self._search.catalogue))

    def _do(self, begun: _Begun) -> list[JobEnd]:
        """Run one trial to its end, or until it is hopeless, or the search is told to stop."""
        cell, folder = begun.cell, self._folder.matrix.cell(begun.cell)
        job = Job(name=cell.name, folder=folder.path, title=cell.title, resources=cell.resources)

        def stops() -> bool:
            return self._stops() or self._is_hopeless(begun)

        ends = list(begun.executor.run([job], stops=stops))
        if not any(end.failure for end in ends):
            _wait_for_another(folder, stops=stops)
        return ends

    def _is_hopeless(self, begun: _Begun) -> bool:
        epochs = self._folder.epochs(begun.cell.name, monitor=self._monitor)
        if not begun.is_hopeless and len(epochs) != begun.seen:
            begun.seen = len(epochs)
            begun.is_hopeless = self._pruned_at(begun, epochs) is not None
        return begun.is_hopeless

    def _pruned_at(self, begun: _Begun, epochs: Epochs) -> int | None:
        """The first epoch after which the trial is hopeless; the last one is not asked about."""
        last = begun.cell.spec.training.epochs - 1
        for epoch in sorted(epochs):
            so_far = last_counted(epochs, epoch)
            if epoch < last and self._searcher.is_hopeless(so_far, finished=begun.finished, maximises=self._maximises):
                return epoch
        return None

    def _finish(self, begun: _Begun, ends: Sequence[JobEnd]) -> None:
        """Keep how a trial has ended; one that was cut off stays as it is, to be taken up again.

        Raises:
            OutdatedError: if its data or its code is not that which it was proposed for.
        """
        self._idle.append(begun.executor)
        folder = self._folder.matrix.cell(begun.cell)
        outcome = folder.outcome()
        if outcome is not None and outcome.get("error") in OUTDATED:
            folder.retire(outcome)  # no trial is spent on it
            raise OutdatedError(str(outcome["reason"]))
        epochs = self._folder.epochs(begun.cell.name, monitor=self._monitor)
        pruned_at = self._pruned_at(begun, epochs)
        if pruned_at is not None:
            self._tell(begun.trial, state="pruned", epochs=last_counted(epochs, pruned_at))
        elif outcome is not None and outcome["status"] == "finished":
            score = float(outcome["valid"][self._monitor])
            self._tell(begun.trial, state="finished", score=score, epochs=epochs)
        elif outcome is not None:
            self._tell(begun.trial, state="failed", said=str(outcome["reason"]), epochs=epochs)
        elif not self._stops() and ends and ends[0].failure:
            self._tell(begun.trial, state="failed", said=ends[0].failure, epochs=epochs)

    def _tell(
        self,
        trial: TrialRecord,
        *,
        state: Literal["finished", "failed", "pruned"],
        score: float | None = None,
        said: str = "",
        epochs: Epochs = NO_EPOCHS,
    ) -> None:
        self._study.tell(trial.number, state=state, score=score, epochs=epochs)
        result = {
            "finished": f"{self._monitor} {score or 0.0:.4f}",
            "pruned": f"stopped after epoch {len(epochs)}",
            "failed": f"failed: {said}",
        }
        self._say(f"trial {trial.number}: {values_of(trial)}: {result[state]}")
        self._write()

    def _write(self) -> None:
        self._folder.write_trials(self.trials(), cells=self._cells, monitor=self._monitor)
        best = self.best()
        if best is not None:
            self._folder.write_best(as_yaml(self._search.whole_spec(best.values)))


def _wait_for_another(folder: JobFolder, *, stops: Callable[[], bool]) -> None:
    """Until nobody else has a cell without an end: a worker whose command was killed, or a trial of the same values."""
    while folder.outcome() is None and not stops():
        lock = folder.claim()
        if lock is not None:
            lock.release()
            return
        time.sleep(WAIT_SECONDS)


def values_of(trial: TrialRecord) -> str:
    """`rate=0.00213, dim=32`."""
    shown = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in trial.values.items()}
    return title_of(shown)
