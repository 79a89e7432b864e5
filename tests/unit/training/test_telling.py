"""Who is told what, where several processes train: observers by the main process, users by one alone."""

from typing import Any

import pluggy
import pytest

from vietmer_core.errors import DataError, ElsewhereError, RunError
from vietmer_core.hooks import hookimpl
from vietmer_core.plugins import load_plugins
from vietmer_core.ranks import alike
from vietmer_core.records import FinishRecord
from vietmer_core.training.interrupts import Interrupts
from vietmer_core.training.loop import TrainingLoop

FINISH = FinishRecord(outcome="finished", epoch=1, step=1, best_epoch=None, best_value=None, seconds=0.0)


class Place:
    """Where a process stands among others."""

    def __init__(self, *, rank: int, world_size: int) -> None:
        self.is_main, self.world_size = rank == 0, world_size


class Failing:
    """An observer that fails, and counts how often it was told."""

    def __init__(self) -> None:
        self.times = 0

    @hookimpl
    def finish_run(self, finish: FinishRecord) -> None:
        self.times += 1
        raise OSError(f"after {finish.step} steps")


@pytest.fixture
def observer() -> Failing:
    return Failing()


@pytest.fixture
def manager(observer: Failing) -> pluggy.PluginManager:
    made = load_plugins([]).manager
    made.register(observer)
    return made


def loop_at(place: Place, manager: pluggy.PluginManager) -> Any:
    loop: Any = object.__new__(TrainingLoop)
    loop._processes, loop._manager, loop._untold = place, manager, None
    return loop


def test_a_failing_observer_ends_a_run_of_one_process_at_once(manager: pluggy.PluginManager) -> None:
    with pytest.raises(RunError, match="an observer failed in `finish_run`: OSError: after 1 steps"):
        loop_at(Place(rank=0, world_size=1), manager)._tell("finish_run", finish=FINISH)


def test_among_several_it_ends_the_run_once_all_have_saved(manager: pluggy.PluginManager) -> None:
    loop = loop_at(Place(rank=0, world_size=2), manager)
    assert not loop._is_asked(Interrupts())
    loop._tell("finish_run", finish=FINISH)
    assert loop._is_asked(Interrupts())
    with pytest.raises(RunError, match="an observer failed in `finish_run`"):
        loop._raise_untold()


def test_only_the_main_process_tells(manager: pluggy.PluginManager, observer: Failing) -> None:
    loop_at(Place(rank=1, world_size=2), manager)._tell("finish_run", finish=FINISH)
    assert observer.times == 0


def broken() -> None:
    raise DataError("a.wav is broken")


def test_what_all_meet_alike_is_said_by_the_main_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"a\.wav is broken"):
        alike(broken)
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ElsewhereError) as caught:
        alike(broken)
    assert caught.value.exit_code == DataError.exit_code
    assert alike(lambda: 3) == 3
