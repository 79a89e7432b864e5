"""`executor: slurm`: each cell a job of a Slurm cluster."""

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Final, final

import attrs
from submitit.core.core import Job as Submitted
from submitit.core.utils import FailedJobError, UncompletedJobError

from vietmer_core.ablation.executor import Job, JobEnd
from vietmer_executor_slurm.plugin import SlurmParams
from vietmer_executor_slurm.submitting import check_cluster, submit

FOLDER: Final = ".slurm"
"""Beside the cells: what submitit writes."""
WAIT_SECONDS: Final = 0.3
LARGEST_ARRAY: Final = 1000
"""Slurm's own default of `MaxArraySize` is 1001."""
GRACE_SECONDS: Final = 60.0
"""After `scancel`, in which runs save themselves; Slurm's own `KillWait` ends them before."""
LAG_SECONDS: Final = 10.0
"""In which a file that another machine has written becomes visible here."""
BEGUN_AGAIN: Final = ("PREEMPTED", "NODE_FAIL", "BOOT_FAIL")
"""Ends of a job that Slurm did not requeue, and for which the job is not to blame."""
REASONS: Final = {
    "TIMEOUT": "it took longer than its time limit.",
    "OUT_OF_MEMORY": "it took more than the `memory` that the matrix gives it.",
    "CANCELLED": "its Slurm job was cancelled.",
    "NODE_FAIL": "its node failed.",
    "PREEMPTED": "it was preempted.",
}


@attrs.define(kw_only=True, eq=False)
class _UnderWay:
    """A job that was submitted."""

    job: Job
    submitted: Submitted[str]
    ended_at: float | None = None


@final
class SlurmExecutor:
    """Submits jobs to Slurm and waits for their ends.

    Args:
        params: As the matrix gives them.
    """

    def __init__(self, params: SlurmParams) -> None:
        self._params = params

    def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
        """As `vietmer_core.ablation.executor.Executor`.

        Raises:
            RunError: if there is no Slurm here, or it does not take the jobs.
        """
        if not jobs:
            return
        check_cluster(self._params)
        waiting, losses = deque(jobs), dict.fromkeys((job.name for job in jobs), 0)
        under_way: list[_UnderWay] = []
        stopped_at: float | None = None
        look = _Look(self._params)
        try:
            while waiting or under_way:
                if stopped_at is None and stops():
                    stopped_at = time.monotonic()
                    waiting.clear()
                    self._cancel(under_way)
                self._submit(waiting, under_way)
                look.refresh(under_way, at_once=stopped_at is not None)
                for entry in [entry for entry in under_way if _has_ended(entry)]:
                    under_way.remove(entry)
                    yield from self._end(entry, waiting, losses, is_stopped=stopped_at is not None)
                if stopped_at is not None and time.monotonic() - stopped_at > GRACE_SECONDS:
                    return
                time.sleep(WAIT_SECONDS)
        finally:
            self._cancel(under_way, at_once=True)

    def _submit(self, waiting: "deque[Job]", under_way: list[_UnderWay]) -> None:
        """Submit all that wait; to `cluster: local`, which has no queue, no more than run at a time."""
        while waiting:
            room = self._room(waiting[0]) - len(under_way)
            alike = list(takewhile(lambda job: job.resources == waiting[0].resources, waiting))[: max(0, room)]
            if not alike:
                return
            submitted = submit(self._params, alike, folder=alike[0].folder.parent / FOLDER)
            for job, entry in zip(alike, submitted, strict=True):
                waiting.popleft()
                under_way.append(_UnderWay(job=job, submitted=entry))

    def _room(self, job: Job) -> int:
        if self._params.cluster == "slurm":
            return LARGEST_ARRAY
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self._params.jobs or max(1, cores // job.resources.cpus)

    def _end(
        self, entry: _UnderWay, waiting: "deque[Job]", losses: dict[str, int], *, is_stopped: bool
    ) -> Iterator[JobEnd]:
        """How a job has ended, or that it waits again; one that never began is not mentioned after a stop."""
        name, state = entry.job.name, _state(entry)
        if is_stopped:
            if entry.submitted.paths.stdout.exists():
                yield JobEnd(name=name)
        elif entry.submitted.paths.result_pickle.exists():
            yield JobEnd(name=name, failure=_returned(entry.submitted))
        elif state in BEGUN_AGAIN and losses[name] < self._params.requeues:
            losses[name] += 1
            waiting.append(entry.job)
        else:
            log = entry.submitted.paths.stderr
            told = f"its process ended ({state.lower().replace('_', ' ')}). Slurm's log: {log}"
            yield JobEnd(name=name, failure=REASONS.get(state, told))

    def _cancel(self, under_way: Sequence[_UnderWay], *, at_once: bool = False) -> None:
        """End jobs: SIGTERM, after which a run saves itself, and later SIGKILL."""
        identities = [entry.submitted.job_id for entry in under_way]
        if self._params.cluster == "slurm":
            if identities:
                subprocess.run(["scancel", *identities], check=False, capture_output=True)  # noqa: S603, S607  # ids that Slurm gave; wherever Slurm is
            return
        for entry in under_way:
            if at_once:
                entry.submitted.cancel(check=False)
            else:
                with suppress(ProcessLookupError):
                    os.kill(int(entry.submitted.job_id), signal.SIGTERM)  # submitit passes it on


@final
class _Look:
    """Asks `sacct` for all jobs at once, now and then."""

    def __init__(self, params: SlurmParams) -> None:
        self._params = params
        self._looked = time.monotonic()

    def refresh(self, under_way: Sequence[_UnderWay], *, at_once: bool) -> None:
        """Ask again where it is time."""
        seconds = min(2.0, self._params.poll_seconds) if at_once else self._params.poll_seconds
        if under_way and self._params.cluster == "slurm" and time.monotonic() - self._looked > seconds:
            under_way[0].submitted.watcher.update()
            self._looked = time.monotonic()


def _has_ended(entry: _UnderWay) -> bool:
    """Whether a job is over; where it has left no result, only once that would have become visible."""
    if not entry.submitted.done():
        entry.ended_at = None
        return False
    if entry.submitted.paths.result_pickle.exists() or _state(entry) in REASONS:
        return True
    entry.ended_at = entry.ended_at or time.monotonic()
    is_here = entry.submitted.get_info("cache").get("jobState") is not None  # a process of this machine
    return is_here or time.monotonic() - entry.ended_at > LAG_SECONDS


def _state(entry: _UnderWay) -> str:
    """`CANCELLED`, not `CANCELLED by 1000`."""
    return (entry.submitted.state or "UNKNOWN").split()[0].rstrip("+")


def _returned(submitted: Submitted[str]) -> str:
    """What `DoJob` has returned, or why it left before."""
    try:
        return submitted.result()
    except (FailedJobError, UncompletedJobError) as error:
        lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
        said = lines[-1].split("Error: ", 1)[1] if lines else str(error).splitlines()[0]
        return f"{said.rstrip('.')}."
