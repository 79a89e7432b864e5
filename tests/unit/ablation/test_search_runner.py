"""What ends a search and what spends a trial, by a searcher that always proposes the same."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, final

import pytest

from tests.unit.ablation.searches import VALUES, HereExecutor, loaded
from vietmer_core.ablation.executor import Job, JobEnd
from vietmer_core.ablation.job_folder import JobFolder
from vietmer_core.ablation.search import running
from vietmer_core.ablation.search.folder import SearchFolder
from vietmer_core.ablation.search.loading import Search
from vietmer_core.ablation.search.searcher import Epochs, Space, Study, TrialRecord, TrialState, Value
from vietmer_core.cache.locks import HeldLock
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.errors import DataProblemsError, OutdatedError, RunError

pytestmark = pytest.mark.skipif(
    "optuna" not in installed_catalogue().kinds(Role.SEARCH), reason="vietmer-search-optuna is not installed"
)


@final
class Notes:
    """A searcher and its study in memory, which always proposes the same."""

    def __init__(self, values: Mapping[str, Value] = VALUES) -> None:
        self._values = values
        self.states: list[TrialState] = []

    def open(self, file: Path, /, *, name: str, space: Space, maximises: bool) -> Study:
        del file, name, space, maximises
        return self

    def is_hopeless(self, epochs: Epochs, /, *, finished: Sequence[Epochs], maximises: bool) -> bool:
        del epochs, finished, maximises
        return False

    def trials(self) -> Sequence[TrialRecord]:
        return [
            TrialRecord(number=number, values=self._values, state=state) for number, state in enumerate(self.states)
        ]

    def ask(self) -> TrialRecord:
        self.states.append("running")
        return self.trials()[-1]

    def tell(self, number: int, /, *, state: TrialState, score: float | None, epochs: Epochs) -> None:
        del score, epochs
        self.states[number] = state


def run_search(search: Search, notes: Notes) -> None:
    folder = SearchFolder(search.path.parent / "searches" / "tiny")
    running.SearchRunner(search, folder, searcher=notes, stops=lambda: False, say=lambda _: None).run()


@pytest.mark.usefixtures("here")
def test_data_that_cannot_be_read_spends_no_trial(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, notes = loaded(workplace), Notes()

    def gone(*_: object) -> NoReturn:
        raise DataProblemsError("the data cannot be used:", [])

    monkeypatch.setattr(Search, "cell", gone)
    with pytest.raises(DataProblemsError):
        run_search(found, notes)
    assert notes.states == ["running"]  # the same command takes it up


def test_code_that_changes_meanwhile_spends_no_trial(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Outdated:
        def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
            del stops
            for job in jobs:
                JobFolder(job.folder).write_outcome(
                    {"status": "failed", "reason": "the sources are others.", "error": "OutdatedError"}
                )
                yield JobEnd(name=job.name)

    monkeypatch.setattr(running, "build_executor", lambda _params, _catalogue: Outdated())
    found, notes = loaded(workplace), Notes()
    with pytest.raises(RunError, match="the sources are others"):
        run_search(found, notes)
    assert notes.states == ["running"]
    assert not list(workplace.glob("searches/tiny/cells/*/outcome.json"))  # it is not taken for an end again


def test_a_trial_that_another_process_still_runs_is_waited_for(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the command alone was killed: its worker ends the trial."""
    held: list[HeldLock | None] = []
    begun: list[JobFolder] = []

    class Busy:
        def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
            del stops
            for job in jobs:
                begun.append(JobFolder(job.folder))
                held.extend([] if held else [begun[-1].claim()])
                yield JobEnd(name=job.name)

    def the_other_ends(seconds: float) -> None:
        del seconds
        begun[0].write_outcome({"status": "finished", "valid": {"macro_f1": 0.5}})
        lock = held[0]
        assert lock is not None
        lock.release()

    monkeypatch.setattr(running, "build_executor", lambda _params, _catalogue: Busy())
    monkeypatch.setattr("vietmer_core.ablation.search.running.time.sleep", the_other_ends)
    found, notes = loaded(workplace, trials=1), Notes()
    run_search(found, notes)
    assert notes.states == ["finished"]
    assert len(begun) == 1


def replace_in(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


class Changing(HereExecutor):
    """Changes the data before or after its first jobs."""

    def __init__(self, path: Path, *, before: bool) -> None:
        self._path = path
        self._before = before

    def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
        if jobs and self._before:
            replace_in(self._path, "bực", "vui")
        yield from super().run(jobs, stops=stops)
        if jobs and not self._before:
            replace_in(self._path, "bực", "vui")


@pytest.mark.parametrize(
    ("before", "states"), [(False, ["finished", "running"]), (True, ["running"])], ids=["between trials", "before one"]
)
def test_data_that_changes_ends_the_command_and_spends_no_trial(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, before: bool, states: list[TrialState]
) -> None:
    path = workplace / "train.jsonl"
    monkeypatch.setattr(running, "build_executor", lambda _params, _catalogue: Changing(path, before=before))
    found, notes = loaded(workplace, trials=2), Notes()
    with pytest.raises(OutdatedError, match="the data of train has changed"):
        run_search(found, notes)
    assert notes.states == states
    with pytest.raises(RunError, match="another `base`"):
        run_search(found, notes)
    replace_in(path, "vui", "bực")
    monkeypatch.setattr(running, "build_executor", lambda _params, _catalogue: HereExecutor())
    run_search(found, notes)
    assert notes.states == ["finished", "finished"]


@pytest.mark.usefixtures("here")
def test_data_of_a_level_that_changed_between_two_commands_is_refused(workplace: Path) -> None:
    """The digest of the base does not see it."""
    (workplace / "other.jsonl").write_bytes((workplace / "train.jsonl").read_bytes())
    axes = {"loss": {"levels": {"plain": {"data": {"train": "other.jsonl"}}}}}
    notes = Notes({"loss": "plain"})
    run_search(loaded(workplace, trials=1, axes=axes), notes)
    replace_in(workplace / "other.jsonl", "bực", "vui")
    with pytest.raises(OutdatedError, match="the data of train has changed since the search was begun"):
        run_search(loaded(workplace, trials=2, axes=axes), notes)
    assert notes.states == ["finished", "running"]
