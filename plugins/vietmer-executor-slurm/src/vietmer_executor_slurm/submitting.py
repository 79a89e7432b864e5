"""Handing jobs to submitit: what `sbatch` is told."""

import logging
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any, Final

from submitit import AutoExecutor
from submitit.core.core import Job as Submitted
from submitit.core.utils import FailedJobError, FailedSubmissionError

from vietmer_core.ablation.executor import Job, Resources, worker_environment
from vietmer_core.errors import RunError
from vietmer_executor_slurm.payload import DoJob
from vietmer_executor_slurm.plugin import SlurmParams

NEEDED: Final = ("sbatch", "srun", "sacct", "scancel")
SIGNAL_SECONDS: Final = 90
"""Between the signal, after which a run saves itself, and the time limit."""
ALWAYS: Final[Mapping[str, Any]] = {"requeue": True}
"""Slurm requeues a job that is preempted or loses its node."""


def check_cluster(params: SlurmParams) -> None:
    """Refuse to submit where there is no Slurm.

    Raises:
        RunError: if one of its commands is not there.
    """
    lacking = [name for name in NEEDED if params.cluster == "slurm" and shutil.which(name) is None]
    if lacking:
        raise RunError(
            f"`executor: slurm` needs {', '.join(f'`{name}`' for name in lacking)} on the PATH. Run the command on a "
            "machine of the cluster, or try the matrix here with `--executor '{kind: slurm, cluster: local}'`."
        )
    logging.getLogger("submitit").setLevel(logging.ERROR)


def submit(params: SlurmParams, jobs: Sequence[Job], *, folder: Path) -> list[Submitted[str]]:
    """Submit jobs of equal resources, as one array where there are several.

    Raises:
        RunError: if they are not taken.
    """
    resources = jobs[0].resources
    try:
        executor = AutoExecutor(folder=folder, cluster=params.cluster, slurm_max_num_timeout=params.requeues)
        executor.update_parameters(**parameters(params, resources))
        with _environment(worker_environment(resources)):
            if len(jobs) == 1 or params.cluster == "local":
                return [executor.submit(DoJob(), str(job.folder)) for job in jobs]
            return executor.map_array(DoJob(), [str(job.folder) for job in jobs])
    except (FailedJobError, FailedSubmissionError, CalledProcessError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"the cells cannot be submitted to Slurm: {reason.rstrip('.')}.") from None


def parameters(params: SlurmParams, resources: Resources) -> dict[str, Any]:
    """As `AutoExecutor.update_parameters` takes them."""
    minutes = resources.minutes or params.minutes
    found: dict[str, Any] = {
        "name": "vietmer",
        "timeout_min": minutes,
        "cpus_per_task": resources.cpus,
        "slurm_signal_delay_s": min(SIGNAL_SECONDS, 30 * minutes),  # a job must not be told as it begins
        "slurm_setup": [
            *(f"export {name}={value}" for name, value in worker_environment(resources).items()),
            *params.setup,
        ],
        "slurm_additional_parameters": {**ALWAYS, **params.extra},
    }
    if resources.gpus:
        found["gpus_per_node"] = math.ceil(resources.gpus)
    if resources.memory_bytes:
        found["mem_gb"] = resources.memory_bytes / 1024**3
    if params.jobs is not None:
        found["slurm_array_parallelism"] = params.jobs
    for name in ("partition", "account", "qos", "constraint"):
        if getattr(params, name) is not None:
            found[f"slurm_{name}"] = getattr(params, name)
    return found


@contextmanager
def _environment(changed: Mapping[str, str]) -> Iterator[None]:
    """Jobs inherit the environment in which they are submitted."""
    kept = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
