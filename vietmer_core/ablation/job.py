"""Doing a job: `do_job(folder)`, or `python -m vietmer_core.ablation.job FOLDER`. Torch-free until the job begins."""

import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal, NoReturn

from vietmer_core.ablation.job_folder import JobFolder, now
from vietmer_core.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_RUN, VietmerError

Status = Literal["finished", "failed", "busy", "interrupted"]
EXIT_BUSY: Final = 75
"""Another process does the job (EX_TEMPFAIL of BSD's sysexits)."""
EXIT_CODES: Final[Mapping[str, int]] = {
    "finished": EXIT_OK,
    "failed": EXIT_RUN,
    "busy": EXIT_BUSY,
    "interrupted": EXIT_INTERRUPTED,
}
Task = Callable[[JobFolder, Mapping[str, Any]], dict[str, Any]]


def do_job(folder: Path) -> Status:
    """Do the job of a folder, unless another process does, or it has ended already.

    What comes out is written into the folder. SIGTERM and Ctrl-C stop it: a run saves itself, and the same call goes
    on from there.

    Raises:
        RunError: if the folder holds no job or cannot be written.
    """
    job = JobFolder(folder)
    lock = job.claim()
    if lock is None:
        return "busy"
    try:
        with _stopped_by_signals():
            return _do(job)
    except KeyboardInterrupt:
        return "interrupted"
    finally:
        lock.release()


def _do(job: JobFolder) -> Status:
    ended = job.outcome()
    if ended is not None:
        return "finished" if ended["status"] == "finished" else "failed"
    document = job.document()
    began, computed, started = time.perf_counter(), time.process_time(), now()
    attempts = job.note_attempt(resumes=job.run_path.exists())
    with _logged(job.log_path):
        found = _outcome(job, document)
    seconds = {
        **found.pop("seconds", {}),
        "total": round(time.perf_counter() - began, 3),
        "processor": round(time.process_time() - computed, 3),
    }
    outcome: dict[str, Any] = {
        "version": 1,
        "id": document["id"],
        **found,
        "started": started,
        "ended": now(),
        "seconds": seconds,
        "attempts": attempts,
        "process": os.getpid(),
        "host": platform.node(),
    }
    job.write_outcome(outcome)
    return "finished" if outcome["status"] == "finished" else "failed"


def _outcome(job: JobFolder, document: Mapping[str, Any]) -> dict[str, Any]:
    """What came out, or why nothing did: in a sentence, and in the log at length."""
    try:
        return {"status": "finished", **_task(str(document["job"]))(job, document)}
    except VietmerError as error:
        sys.stderr.write(f"error: {error}\n")
        return {"status": "failed", "reason": str(error), "error": type(error).__name__}
    except Exception as error:  # noqa: BLE001  # a defect in one cell is its outcome; the others go on
        traceback.print_exc()
        said = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        return {"status": "failed", "reason": f"{reason.rstrip('.')}.", "error": type(error).__name__}


def _task(name: str) -> Task:
    """What does the jobs of a sort."""
    if name == "rehearsal":
        from vietmer_core.ablation.rehearsal import rehearse

        return rehearse
    from vietmer_core.ablation import probing, tasks

    found: Mapping[str, Task] = {"cell": tasks.run_cell, "prepare": tasks.fill_caches, "probe": probing.time_steps}
    return found[name]


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """All that this process and its libraries print goes to the end of a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False, buffering=1) for number in (1, 2))  # noqa: SIM115  # closed below with the descriptors
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = streams
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM acts like Ctrl-C; a run that trains has handlers of its own meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


def main() -> int:
    """Do the job of the folder that is named on the command line; the exit code says how it ended."""
    try:
        return EXIT_CODES[do_job(Path(sys.argv[1]).absolute())]
    except VietmerError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
