"""The checks of executors catch those that are broken."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from vietmer_core.ablation.executor import Executor, Job, JobEnd
from vietmer_core.ablation.job import do_job
from vietmer_core.ablation.local import LocalExecutor
from vietmer_core.components import Component, Role
from vietmer_core.testing import CHECKS, executor_checks
from vietmer_core.testing.candidates import candidate_of
from vietmer_core.testing.failures import ConformanceError

Stops = Callable[[], bool]


class BrokenParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["broken"] = "broken"


def in_this_process(job: Job) -> JobEnd:
    do_job(job.folder)
    return JobEnd(name=job.name)


class ForgetsTheLast:
    def run(self, jobs: Sequence[Job], /, *, stops: Stops) -> Iterator[JobEnd]:
        del stops
        return iter([in_this_process(job) for job in jobs][:-1])


class TellsTwice:
    def run(self, jobs: Sequence[Job], /, *, stops: Stops) -> Iterator[JobEnd]:
        del stops
        return iter([in_this_process(job) for job in [*jobs, *jobs]])


class DoesNothing:
    def run(self, jobs: Sequence[Job], /, *, stops: Stops) -> Iterator[JobEnd]:
        del stops
        return iter([JobEnd(name=job.name) for job in jobs])


class AsManyThreadsAsItLikes:
    def run(self, jobs: Sequence[Job], /, *, stops: Stops) -> Iterator[JobEnd]:
        del stops
        os.environ["MKL_NUM_THREADS"] = "8"
        return iter([in_this_process(job) for job in jobs])


class DiesWithoutAWord:
    """Whatever its workers die of, it tells of an end."""

    def run(self, jobs: Sequence[Job], /, *, stops: Stops) -> Iterator[JobEnd]:
        return (JobEnd(name=end.name) for end in LocalExecutor(jobs=1).run(jobs, stops=stops))


class NeverStops:
    def run(self, jobs: Sequence[Job], /, *, stops: Stops) -> Iterator[JobEnd]:
        del stops
        return LocalExecutor(jobs=1).run(jobs, stops=lambda: False)


class NotOne:
    """It has no `run`."""


BROKEN: list[tuple[type, str]] = [
    (ForgetsTheLast, "executor_ends"),
    (TellsTwice, "executor_ends"),
    (DoesNothing, "executor_ends"),
    (NotOne, "executor_ends"),
    (AsManyThreadsAsItLikes, "executor_threads"),
    (DiesWithoutAWord, "executor_survives"),
    (NeverStops, "executor_stops"),
]


@pytest.mark.parametrize(("made", "check"), BROKEN, ids=[made.__name__ for made, _ in BROKEN])
def test_a_broken_executor_is_caught(made: type, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    monkeypatch.setattr(executor_checks, "LONG", 0.5)
    component = Component(
        role=Role.EXECUTOR, params=BrokenParams, build=lambda _: made(), summary="Broken.", licence="Apache-2.0"
    )
    with pytest.raises(ConformanceError, match=f"check `{check}`, component `executor: broken`"):
        CHECKS[check].run(candidate_of(component))


def test_the_local_executor_is_one() -> None:
    assert isinstance(LocalExecutor(), Executor)
    assert not isinstance(NotOne(), Executor)
