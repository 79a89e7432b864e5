"""Checks of executors, on jobs that compute nothing: each ends once, and a worker that dies loses its own alone."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from vietmer_core.ablation.executor import THREAD_VARIABLES, Executor, Job, JobEnd, Resources
from vietmer_core.ablation.job_folder import JOB_FILE, JobFolder, write_json
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.failures import ConformanceError

LONG: Final = 60.0
"""Seconds of a job that is to be stopped."""


def _fail(check: str, candidate: Candidate, message: str) -> ConformanceError:
    return ConformanceError(f"check `{check}`, component `{candidate.name}`: {message}")


def _executor(check: str, candidate: Candidate) -> Executor:
    made = candidate.component.build(candidate.params)
    if not isinstance(made, Executor):
        raise _fail(check, candidate, f"`build` must return an Executor, but returns {type(made).__name__} instead.")
    return made


@contextmanager
def _jobs(*documents: Mapping[str, Any]) -> Iterator[list[Job]]:
    """Rehearsals in folders of their own."""
    with TemporaryDirectory() as root:
        jobs = []
        for number, document in enumerate(documents):
            folder = Path(root).resolve() / f"job-{number}"
            write_json(folder / JOB_FILE, {"job": "rehearsal", "id": str(number), **document})
            jobs.append(Job(name=f"job-{number}", folder=folder, title=f"rehearsal {number}", resources=Resources()))
        yield jobs


def _run(check: str, candidate: Candidate, jobs: Sequence[Job]) -> dict[str, JobEnd]:
    ends = list(_executor(check, candidate).run(jobs, stops=lambda: False))
    names = [end.name for end in ends]
    if sorted(names) != sorted(job.name for job in jobs):
        raise _fail(check, candidate, f"each of {len(jobs)} jobs must end exactly once, but these did: {names}.")
    return {end.name: end for end in ends}


def _outcome(check: str, candidate: Candidate, job: Job) -> dict[str, Any]:
    found = JobFolder(job.folder).outcome()
    if found is None:
        raise _fail(check, candidate, f"`{job.title}` has ended, but its folder holds no outcome.")
    return found


def executor_ends(candidate: Candidate) -> None:
    """Every job is done and ends exactly once, also where there is none; one that fails leaves the others alone."""
    check = "executor_ends"
    with _jobs(*({"note": number, "ends": "fails" if number == 1 else ""} for number in range(4))) as jobs:
        ends = _run(check, candidate, jobs)
        for number, job in enumerate(jobs):
            status = _outcome(check, candidate, job)["status"]
            if status != ("failed" if number == 1 else "finished") or ends[job.name].failure:
                raise _fail(check, candidate, f"`{job.title}` is {status}, failure `{ends[job.name].failure}`.")
    _run(check, candidate, [])


def executor_threads(candidate: Candidate) -> None:
    """Workers have the threads of the job's resources: their number can change the last digit of a result."""
    check = "executor_threads"
    with _jobs({}) as jobs:
        _run(check, candidate, jobs)
        found = _outcome(check, candidate, jobs[0])["threads"]
    wrong = [name for name in THREAD_VARIABLES if found[name] != "1"]
    if wrong:
        raise _fail(check, candidate, f"{' and '.join(wrong)} must be 1 in a worker. Use `worker_environment`.")


def executor_survives(candidate: Candidate) -> None:
    """A worker that is killed loses its own job alone, with a sentence; the jobs after it are done."""
    check = "executor_survives"
    with _jobs({"ends": "dies"}, {}, {}) as jobs:
        ends = _run(check, candidate, jobs)
        if not ends[jobs[0].name].failure:
            raise _fail(check, candidate, "a job whose worker was killed must end with a `failure`, but has none.")
        for job in jobs[1:]:
            _outcome(check, candidate, job)


def executor_stops(candidate: Candidate) -> None:
    """Once it is told to stop, it begins nothing more, and ends what is under way within seconds."""
    check = "executor_stops"
    with _jobs(*({"seconds": LONG} for _ in range(3))) as jobs:
        began = time.monotonic()
        first = jobs[0].folder / "begun"
        ends = list(_executor(check, candidate).run(jobs, stops=first.exists))
        seconds = time.monotonic() - began
        if seconds >= LONG:
            raise _fail(check, candidate, f"must stop within seconds, but took {seconds:.0f}.")
        begun = [job.name for job in jobs if (job.folder / "begun").exists()]
        missing = [name for name in begun if name not in [end.name for end in ends]]
        if missing or any(JobFolder(job.folder).outcome() for job in jobs):
            raise _fail(check, candidate, f"jobs that were begun must end, stopped; not told of: {missing}.")
