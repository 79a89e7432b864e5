"""`executor: ray`: a worker for each cell that runs, wherever the cluster has room."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, final

from vietmer_core.ablation.executor import Job, JobEnd, Resources
from vietmer_core.errors import RunError
from vietmer_executor_ray.cluster import alive_nodes, described, fitting, join
from vietmer_executor_ray.crew import Crew, Hand

POLL_SECONDS: Final = 0.3
LOOK_SECONDS: Final = 2.0
"""Between two looks at the machines of the cluster."""
GRACE_SECONDS: Final = 30.0
"""Between SIGTERM, after which a run saves itself, and the end of its process."""
REJOIN_SECONDS: Final = 60.0
"""How long the cluster may lack a machine for the cells that are left, once some have run."""


@final
class RayExecutor:
    """Runs jobs on the machines of a Ray cluster, each worker many, one after another.

    A job that is lost with its worker, or with the machine, is begun again, elsewhere where need be: what it had done
    is kept in its folder.

    Args:
        address: Of the cluster; one of this machine alone is started where None.
        jobs: Workers at a time; as many as fit where None.
        retries: Times that a job is begun again.
        wait_seconds: How long to wait for a machine that fits before any job has run.
    """

    def __init__(self, *, address: str | None, jobs: int | None, retries: int, wait_seconds: float) -> None:
        self._address = address
        self._jobs = jobs
        self._retries = retries
        self._wait_seconds = wait_seconds
        self._crew: Crew | None = None  # workers that are ready wait for the next call

    def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
        """As `vietmer_core.ablation.executor.Executor`.

        Raises:
            RunError: if the cluster does not answer, or has no machine for a job, or its workers cannot do any.
        """
        waiting, losses = deque(jobs), dict.fromkeys((job.name for job in jobs), 0)
        if not waiting:
            return
        join(self._address)
        crew = self._crew = self._crew or Crew()
        room = _Room(most=self._jobs, patience=self._wait_seconds)
        stopped_at: float | None = None
        try:
            while waiting or crew.is_at_work:
                if stopped_at is None and stops():
                    stopped_at = time.monotonic()
                    waiting.clear()
                    for hand in crew.hands:
                        hand.tell_to_stop()
                crew.fill(waiting, most=room.workers(waiting, is_at_work=crew.is_at_work))
                for hand in crew.ready(seconds=POLL_SECONDS):
                    yield from self._take(crew, hand, waiting, losses, is_stopped=stopped_at is not None)
                yield from _too_slow(crew)
                if stopped_at is not None and time.monotonic() - stopped_at > GRACE_SECONDS:
                    return
        finally:
            for hand in [hand for hand in crew.hands if not hand.is_ready]:
                crew.let_go(hand)

    def _take(
        self, crew: Crew, hand: Hand, waiting: "deque[Job]", losses: dict[str, int], *, is_stopped: bool
    ) -> Iterator[JobEnd]:
        """What a worker has answered; a job that was lost waits again, first in the row."""
        job = hand.job
        what, said = crew.answer(hand)
        if job is None or what == "started":
            return
        if what == "done":
            yield JobEnd(name=job.name, failure=said)
            return
        losses[job.name] += 1
        if is_stopped:
            yield JobEnd(name=job.name)
        elif losses[job.name] > self._retries:
            times = "" if losses[job.name] == 1 else f" {losses[job.name]} times"
            yield JobEnd(name=job.name, failure=f"it was lost{times}: {said}")
        else:
            waiting.appendleft(job)


def _too_slow(crew: Crew) -> Iterator[JobEnd]:
    """End the jobs that take too long."""
    for hand in [hand for hand in crew.hands if hand.is_too_slow]:
        crew.let_go(hand)
        if hand.job is not None:
            yield JobEnd(name=hand.job.name, failure="it took longer than the `minutes` that the matrix gives it.")


@final
class _Room:
    """How many workers the cluster holds, looked at every few seconds: machines come and go."""

    def __init__(self, *, most: int | None, patience: float) -> None:
        self._most = most
        self._patience = patience
        self._looked = self._fitted = -1.0
        self._needs: Resources | None = None
        self._workers = 0
        self._began = time.monotonic()

    def workers(self, waiting: "deque[Job]", *, is_at_work: bool) -> int:
        """For the jobs that wait; as many as before where none does.

        Raises:
            RunError: if no machine has had what they need for too long.
        """
        if not waiting:
            return self._workers
        now, needs = time.monotonic(), waiting[0].resources
        if needs != self._needs or now - self._looked > LOOK_SECONDS:
            self._workers, self._looked, self._needs = fitting(needs, alive_nodes()), now, needs
        if self._workers or is_at_work:
            self._fitted = now
            self._patience = max(self._patience, REJOIN_SECONDS)
        elif now - max(self._fitted, self._began) > self._patience:
            raise RunError(f"no machine of the Ray cluster has what a cell needs: {described(needs)}.")
        wanted = max(self._workers, 1)  # one that waits tells a cluster that grows on demand what is wanted
        return wanted if self._most is None else min(wanted, self._most)
