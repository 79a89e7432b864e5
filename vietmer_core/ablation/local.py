"""`executor: local`: processes of this machine that share its cores. Torch-free; the processes import torch."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, final

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.ablation.executor import Job, JobEnd, Resources, worker_environment
from vietmer_core.errors import RunError

WORKER: Final = (sys.executable, "-m", "vietmer_core.ablation.worker")
POLL_SECONDS: Final = 0.2
GRACE_SECONDS: Final = 30.0
"""Between SIGTERM, after which a run saves itself, and SIGKILL."""


class LocalParams(BaseModel):
    """Parameters of `executor: local`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["local"] = "local"
    jobs: int | None = Field(
        default=None, ge=1, description="Processes at a time; as many as the cores and the memory hold by default."
    )


@final
class _Worker:
    """One process and the job that it does."""

    def __init__(self, resources: Resources, *, gpu: str | None) -> None:
        self.resources = resources
        self.gpu = gpu
        self.job: Job | None = None
        self.deadline: float | None = None
        self.is_too_slow = False
        self._is_leaving = False
        environment = {**os.environ, **worker_environment(resources)}
        if gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = gpu
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter and a module of ours
            WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self.answers = self._process.stdin, self._process.stdout

    def begin(self, job: Job) -> None:
        """Give it a job."""
        self.job = job
        minutes = job.resources.minutes
        self.deadline = None if minutes is None else time.monotonic() + 60 * minutes
        try:
            self._orders.write(json.dumps({"folder": str(job.folder)}).encode() + b"\n")
            self._orders.flush()
        except BrokenPipeError:
            return  # it has died: its answers end, too

    def ended(self) -> JobEnd:
        """Read its answer; where it has died, why its job was lost."""
        assert self.job is not None
        name, self.job, self.deadline = self.job.name, None, None
        line = self.answers.readline()
        if not line:
            return JobEnd(name=name, failure=self._death())
        answer = json.loads(line)
        self._is_leaving = answer["status"] == "interrupted"
        return JobEnd(name=name, failure=str(answer.get("reason", "")) if answer["status"] == "lost" else "")

    def _death(self) -> str:
        code = self._process.wait()
        if self.is_too_slow:
            return "it took longer than the `minutes` that the matrix gives it."
        if code == -signal.SIGKILL:
            return "its process was killed (SIGKILL), as the system does where memory runs out."
        if code < 0:
            return f"its process ended by {signal.Signals(-code).name}; its log may tell more."
        return f"its process ended with exit code {code}; its log may tell more."

    @property
    def is_alive(self) -> bool:
        """Whether it takes another job; one that was told to stop, by whomever, ends after its answer."""
        return not self._is_leaving and self._process.poll() is None

    def check_time(self) -> None:
        """End a job that takes too long."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.is_too_slow, self.deadline = True, None
            self._process.kill()

    def tell_to_stop(self) -> None:
        """Let it save its run and end."""
        self._process.terminate()

    def close(self) -> None:
        """Wait for it to end; it has nothing to do any more, or is killed after a grace."""
        with suppress(BrokenPipeError):  # it has died, and has never read an order
            self._orders.close()
        if self.job is not None:
            self._process.kill()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.answers.close()


@final
class LocalExecutor:
    """Runs jobs in processes of this machine, each of which does many, one after another.

    A process that dies loses its own job alone, and another takes its place.

    Args:
        jobs: Processes at a time; as many as the cores and the memory hold where None.
    """

    def __init__(self, *, jobs: int | None = None) -> None:
        self._jobs = jobs

    def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
        """As `vietmer_core.ablation.executor.Executor`.

        Raises:
            RunError: if a job needs a GPU and there is none.
        """
        waiting = deque(jobs)
        if not waiting:
            return
        room = _Room(jobs, most=self._jobs)
        workers: list[_Worker] = []
        stopped_at: float | None = None
        try:
            while waiting or any(worker.job for worker in workers):
                if stopped_at is None and stops():
                    stopped_at = time.monotonic()
                    waiting.clear()
                    for worker in workers:
                        worker.tell_to_stop()
                _begin(waiting, workers, room)
                yield from _ends(workers)
                for worker in workers:
                    worker.check_time()
                if stopped_at is not None and time.monotonic() - stopped_at > GRACE_SECONDS:
                    return
        finally:
            for worker in workers:
                worker.close()


def _begin(waiting: "deque[Job]", workers: list[_Worker], room: "_Room") -> None:
    """Give jobs to workers that have none, and start workers where there is room."""
    for worker in [worker for worker in workers if worker.job is None]:
        if not worker.is_alive or (waiting and waiting[0].resources != worker.resources):
            workers.remove(worker)
            worker.close()
            room.free(worker.gpu)
        elif waiting:
            worker.begin(waiting.popleft())
    while waiting and len(workers) < room.most:
        resources = waiting[0].resources
        worker = _Worker(resources, gpu=room.take_gpu(resources.gpus))
        workers.append(worker)
        worker.begin(waiting.popleft())


def _ends(workers: list[_Worker]) -> Iterator[JobEnd]:
    """What the workers answer within a moment."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            if worker.job is not None:
                selector.register(worker.answers, selectors.EVENT_READ, worker)
        ready = [key.data for key, _ in selector.select(POLL_SECONDS)] if selector.get_map() else []
    for worker in ready:
        yield worker.ended()


@final
class _Room:
    """How many processes fit, and which GPU each takes."""

    def __init__(self, jobs: Sequence[Job], *, most: int | None) -> None:
        needs = [job.resources for job in jobs]
        gpus = max(need.gpus for need in needs)
        self._gpus: list[str] = []
        limits = [len(jobs)]
        if gpus:
            self._gpus = [name for name in visible_gpus() for _ in range(int(1 / gpus))]
            if not self._gpus:
                raise RunError("a cell needs a GPU (`resources.gpus`), but none is usable here. See `vietmer doctor`.")
            limits.append(len(self._gpus))
        limits.append(most if most is not None else _fitting(needs))
        self.most: Final = min(limits)

    def take_gpu(self, share: float) -> str | None:
        """A GPU for a job that needs one."""
        return self._gpus.pop(0) if share and self._gpus else None

    def free(self, gpu: str | None) -> None:
        """Give a GPU back."""
        if gpu is not None:
            self._gpus.append(gpu)


def _fitting(needs: Sequence[Resources]) -> int:
    """Jobs that the cores and the memory of this machine hold at a time; one at least."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    fitting = cores // max(need.cpus for need in needs)
    memory = max(need.memory_bytes or 0 for need in needs)
    if memory:
        fitting = min(fitting, psutil.virtual_memory().available // memory)
    return max(1, fitting)


def visible_gpus() -> list[str]:
    """The GPUs of this machine that may be used, as `CUDA_VISIBLE_DEVICES` names them; without importing torch."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() and name.strip() != "-1"]
    driver = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number, _ in enumerate(driver.iterdir())] if driver.is_dir() else []


def build_local(params: LocalParams) -> LocalExecutor:
    """Make `executor: local`."""
    return LocalExecutor(jobs=params.jobs)
