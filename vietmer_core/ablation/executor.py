"""What runs the jobs of a matrix: the contract of `role: executor`. Torch-free.

A job is a folder. Whoever does it, wherever, calls `vietmer_core.ablation.job.do_job(folder)` or starts
`python -m vietmer_core.ablation.job FOLDER`, which claims the folder, does what its `job.json` says and writes
`outcome.json`. So an executor starts processes and watches them, and cannot change a result.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import attrs

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Read once, when the libraries that compute are imported."""


@attrs.frozen(kw_only=True)
class Resources:
    """What one job needs.

    Attributes:
        cpus: Cores; also the threads that its process may use.
        gpus: GPUs, 0 to 1: 0.5 lets two jobs share one.
        memory_bytes: Main memory; None where the matrix does not say.
        minutes: After which it may be ended; None where the matrix does not say.
    """

    cpus: int = 1
    gpus: float = 0.0
    memory_bytes: int | None = None
    minutes: int | None = None


@attrs.frozen(kw_only=True)
class Job:
    """One thing to do: a cell to train and score, the features of some cells to compute, a kind of cell to time.

    Attributes:
        name: Tells it apart from the others of the matrix.
        folder: Absolute; holds `job.json`. Every machine that does jobs must see it under this path.
        title: For people: `fusion=xattn, pooler=mean, seed=0`.
        resources: What it needs.
    """

    name: str
    folder: Path
    title: str
    resources: Resources = Resources()


@attrs.frozen(kw_only=True)
class JobEnd:
    """A job that nobody does any more.

    Attributes:
        name: Of the job.
        failure: Why it was lost, one sentence: its process died, its machine went away, it took too long. Empty where
            `do_job` came back, whatever came out: `outcome.json` says it.
    """

    name: str
    failure: str = ""


@runtime_checkable
class Executor(Protocol):
    """Runs jobs, in any order, as many at a time as there is room for."""

    def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
        """Do every job, and tell of each as it ends, exactly once.

        The death of a worker ends its own job alone, with a `failure`, or the job is begun again: what it had done is
        kept in its folder. `stops` is asked at least once a second; once it is true, no further job is begun, those
        under way are told to stop (SIGTERM, after which a run saves itself) and their ends are told; jobs that were
        never begun are not mentioned. Where the iterator is closed, nothing of it goes on.

        Raises:
            VietmerError: if nothing can be run at all, such as on a cluster that does not answer.
        """
        ...


class BuildExecutor(Protocol):
    """`Component.build` of the role executor. Whatever is not torch-free, or slow to import, is imported here."""

    def __call__(self, params: Any, /) -> Executor: ...


def worker_environment(resources: Resources) -> Mapping[str, str]:
    """The environment variables with which a process that does jobs is to start: every executor's are the same.

    The number of threads can change the last digit of a result.
    """
    return dict.fromkeys(THREAD_VARIABLES, str(resources.cpus))
