"""The workers of one call of `run`: started where there is room, given jobs when they are ready, watched."""

import time
from collections import deque
from typing import Any, Final, Literal, final

import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vietmer_core.ablation.executor import Job, Resources, worker_environment
from vietmer_core.errors import RunError
from vietmer_executor_ray.usage_data import OFF
from vietmer_executor_ray.worker import Place, Worker, code_here, send_sigterm

MOST_FAILED_STARTS: Final = 3
"""Workers in a row that do not start, after which the cluster is taken to be unfit."""
IDLE_SECONDS: Final = 30.0
"""How long a worker without a job is kept: the next may come, and starting one takes seconds."""
STARTS_AGAIN: Final = (GetTimeoutError, OutOfMemoryError, RayActorError)
"""Of a worker that does not start: another may."""
LONGEST_REASON: Final = 300
"""Characters of Ray's reasons that are told."""


@final
class Hand:
    """One worker and what it is at: it starts, it is ready, or it does a job."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.place: Place | None = None
        self.job: Job | None = None
        self._deadline: float | None = None
        self._rests_since = time.monotonic()
        self._actor = Worker.options(  # type: ignore[attr-defined]  # Ray adds it to the class
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            memory=resources.memory_bytes,
            runtime_env={"env_vars": {**worker_environment(resources), **OFF}},
        ).remote()
        self.awaited: Any = self._actor.place.remote()

    @property
    def is_ready(self) -> bool:
        """Whether it has nothing to do."""
        return self.place is not None and self.job is None

    def begin(self, job: Job) -> None:
        """Give it a job."""
        self.job = job
        minutes = job.resources.minutes
        self._deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self.awaited = self._actor.do.remote(str(job.folder))

    @property
    def is_too_slow(self) -> bool:
        """Whether its job has taken longer than it may."""
        return self._deadline is not None and time.monotonic() > self._deadline

    def rest(self) -> None:
        """Its job has ended."""
        self.job, self.awaited, self._deadline = None, None, None
        self._rests_since = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether it has had nothing to do for so long that others may have its place."""
        return self.is_ready and time.monotonic() - self._rests_since > IDLE_SECONDS

    def tell_to_stop(self) -> None:
        """Send SIGTERM to its process, after which a run saves itself."""
        if self.place is not None:
            here = NodeAffinitySchedulingStrategy(self.place.node, soft=False)
            send_sigterm.options(scheduling_strategy=here).remote(self.place.process)

    def kill(self) -> None:
        """End its process at once."""
        ray.kill(self._actor, no_restart=True)


@final
class Crew:
    """The workers that there are.

    A worker is lost with its machine, or its process dies alone; either way its job is handed back.
    """

    def __init__(self) -> None:
        self.hands: list[Hand] = []
        self._code = code_here()
        self._failed_starts = 0

    @property
    def is_at_work(self) -> bool:
        """Whether a job is under way."""
        return any(hand.job for hand in self.hands)

    def fill(self, waiting: "deque[Job]", *, most: int) -> None:
        """Give jobs to workers that are ready, let those go that no job fits, start as many as there is room for."""
        for hand in [hand for hand in self.hands if hand.job is None]:
            if hand.is_idle if not waiting else hand.resources != waiting[0].resources:
                self.let_go(hand)
            elif hand.is_ready and waiting:
                hand.begin(waiting.popleft())
        starting = sum(hand.job is None for hand in self.hands)
        while len(self.hands) < most and starting < len(waiting):
            self.hands.append(Hand(waiting[0].resources))
            starting += 1

    def let_go(self, hand: Hand) -> None:
        """End a worker."""
        self.hands.remove(hand)
        hand.kill()

    def ready(self, *, seconds: float) -> list[Hand]:
        """Those that have answered, or have died, within a moment."""
        awaited = {hand.awaited: hand for hand in self.hands if hand.awaited is not None}
        if not awaited:
            return []
        found, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=seconds)
        return [awaited[reference] for reference in found]

    def answer(self, hand: Hand) -> tuple[Literal["started", "done", "lost"], str]:
        """What became of a worker: it has started, it has done its job, with a sentence where it could not, or died.

        Raises:
            RunError: if the workers of this cluster do not start, or compute with other code.
        """
        try:
            value = ray.get(hand.awaited, timeout=10)
        except RayTaskError as error:
            if hand.job is None:
                raise RunError(f"a worker of the Ray cluster cannot do jobs: {_reason(error)}") from None
            hand.rest()
            return "done", _reason(error)
        except RayError as error:  # of a job, whatever it is, such as `OutOfMemoryError`: its worker is no more
            self.let_go(hand)
            if hand.job is None and not isinstance(error, STARTS_AGAIN):
                raise RunError(f"a worker of the Ray cluster cannot be started: {_reason(error)}") from None
            if hand.job is None:
                self._note_failed_start(error)
            return "lost", _reason(error)
        if hand.job is None:
            self._note_start(hand, value)
            return "started", ""
        hand.rest()
        return "done", str(value)

    def _note_start(self, hand: Hand, place: Place) -> None:
        if place.code != self._code:
            raise RunError(
                f"{place.host}, a machine of the Ray cluster, has another `vietmer-core` or `torch` than this one, so "
                "its cells would be others. Install the same on every machine."
            )
        hand.place, self._failed_starts = place, 0
        hand.rest()

    def _note_failed_start(self, error: RayError) -> None:
        self._failed_starts += 1
        if self._failed_starts >= MOST_FAILED_STARTS:
            raise RunError(f"the workers of the Ray cluster do not start: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """The sentence that Ray gives, in one line, without its traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, RayTaskError):
        lines = lines[-1:]
    said = " ".join(lines)
    _, found, cause = said.partition("The actor is dead because ")
    if found:
        said = cause.split(". ")[0]
    return f"{said[:LONGEST_REASON].rstrip('.')}."
