"""What runs on the machines of the cluster: a process that does jobs one after another, and imports torch once.

`do_job` takes SIGTERM in the main thread of its process, so the actor has no other thread for methods: whoever wants
it to stop sends the signal from a task on its machine.
"""

import os
import platform
import signal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attrs
import ray

from vietmer_core.ablation.code_version import NOT_IN_A_CELL, sources_digest
from vietmer_core.ablation.job import do_job
from vietmer_core.errors import VietmerError


@attrs.frozen(kw_only=True)
class Place:
    """Where a worker is.

    Attributes:
        host: Its name.
        node: Its id in the cluster.
        process: Of the worker.
        code: What computes there: the sources of the core, the version of torch.
    """

    host: str
    node: str
    process: int
    code: tuple[str, str]


def code_here() -> tuple[str, str]:
    """What must be equal on all machines: the digest of the core's sources and the version of torch."""
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    return sources_digest("vietmer_core", without=NOT_IN_A_CELL), torch


@ray.remote(max_restarts=0, max_task_retries=0)
class Worker:
    """Does jobs, in the main thread of a process of its own."""

    def place(self) -> Place:
        """Where it is."""
        context = ray.get_runtime_context()
        return Place(host=platform.node(), node=context.get_node_id(), process=os.getpid(), code=code_here())

    def do(self, folder: str) -> str:
        """Do a job; why it could not be done at all, or nothing."""
        path = Path(folder)
        if not path.is_dir():
            return f"{platform.node()} does not see its folder {path}: every machine must, under the same path."
        try:
            do_job(path)
        except VietmerError as error:
            return str(error)
        return ""


@ray.remote(num_cpus=0, max_retries=0)
def send_sigterm(process: int) -> None:
    """Tell a process of this machine to stop."""
    try:
        os.kill(process, signal.SIGTERM)
    except ProcessLookupError:
        return
