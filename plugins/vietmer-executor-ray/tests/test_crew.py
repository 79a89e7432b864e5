"""What becomes of a worker, without a cluster."""

import threading
import time
from typing import Any

import pytest
from ray.exceptions import OutOfMemoryError, RayError
from vietmer_executor_ray import cluster
from vietmer_executor_ray.crew import MOST_FAILED_STARTS, Crew

from vietmer_core.errors import RunError


class Killed:
    """A worker of which Ray says why it is no more."""

    def __init__(self, job: object) -> None:
        self.job = job
        self.awaited = object()
        self.was_killed = False

    def kill(self) -> None:
        self.was_killed = True


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("vietmer_executor_ray.crew.code_here", lambda: ("", ""))
    return Crew()


def out_of_memory(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    error: RayError = OutOfMemoryError(said)  # type: ignore[no-untyped-call]  # Ray does not type it

    def get(*_: object, timeout: float) -> None:
        del timeout
        raise error

    monkeypatch.setattr("vietmer_executor_ray.crew.ray.get", get)


def test_a_worker_that_ray_ends_for_want_of_memory_loses_its_own_job_alone(
    crew: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory(monkeypatch, "Task was killed due to the node running low on memory.\nAnd so on.")
    hand = Killed(job=object())
    crew.hands = [hand]
    what, said = crew.answer(hand)
    assert (what, said) == ("lost", "Task was killed due to the node running low on memory. And so on.")
    assert crew.hands == []
    assert hand.was_killed


def test_workers_that_do_not_start_for_want_of_memory_are_tried_a_few_times(
    crew: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory(monkeypatch, "low on memory")
    hands = [Killed(job=None) for _ in range(MOST_FAILED_STARTS)]
    crew.hands = list(hands)
    for hand in hands[:-1]:
        assert crew.answer(hand)[0] == "lost"
    with pytest.raises(RunError, match="the workers of the Ray cluster do not start"):
        crew.answer(hands[-1])


def test_trials_that_begin_at_once_join_one_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[str | None] = []

    def initialise(address: str | None) -> None:
        time.sleep(0.05)
        joined.append(address)

    monkeypatch.setattr("ray.is_initialized", lambda: bool(joined))
    monkeypatch.setattr(cluster, "_initialise", initialise)
    threads = [threading.Thread(target=cluster.join, args=(None,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert joined == [None]
