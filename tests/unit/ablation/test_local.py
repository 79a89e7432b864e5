"""`executor: local` on jobs that compute nothing, with real processes."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vietmer_core.ablation.executor import Job, JobEnd, Resources
from vietmer_core.ablation.job_folder import JOB_FILE, JobFolder, write_json
from vietmer_core.ablation.local import LocalExecutor, _Worker, visible_gpus
from vietmer_core.errors import RunError
from vietmer_core.testing import conformance_tests

test_conformance = conformance_tests("executor", "local")


def job(folder: Path, number: int, *, resources: Resources | None = None, **document: object) -> Job:
    path = folder / f"job-{number}"
    write_json(path / JOB_FILE, {"job": "rehearsal", "id": str(number), **document})
    return Job(name=f"job-{number}", folder=path, title=str(number), resources=resources or Resources())


def processes(jobs: list[Job]) -> set[int]:
    return {int((JobFolder(job.folder).outcome() or {})["process"]) for job in jobs}


def test_one_process_does_many_jobs(tmp_path: Path) -> None:
    jobs = [job(tmp_path, number) for number in range(4)]
    assert len(list(LocalExecutor(jobs=1).run(jobs, stops=lambda: False))) == 4
    assert len(processes(jobs)) == 1


def test_jobs_of_other_threads_have_another_process(tmp_path: Path) -> None:
    jobs = [job(tmp_path, number, resources=Resources(cpus=1 + number % 2)) for number in range(2)]
    list(LocalExecutor(jobs=1).run(jobs, stops=lambda: False))
    threads = [(JobFolder(done.folder).outcome() or {})["threads"]["OMP_NUM_THREADS"] for done in jobs]
    assert threads == ["1", "2"]


def test_a_job_that_takes_too_long_is_ended_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = job(tmp_path, 0, seconds=60, resources=Resources(minutes=1))
    began = time.monotonic()
    passed = iter([began, *(began + 61 + second for second in range(100_000))])
    monkeypatch.setattr("vietmer_core.ablation.local.time.monotonic", lambda: next(passed))
    (end,) = LocalExecutor(jobs=1).run([slow], stops=lambda: False)
    assert end.failure == "it took longer than the `minutes` that the matrix gives it."


def test_a_folder_without_a_job_is_a_failure_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    jobs = [Job(name="empty", folder=tmp_path / "empty", title="empty"), job(tmp_path, 1)]
    ends = {end.name: end.failure for end in LocalExecutor(jobs=1).run(jobs, stops=lambda: False)}
    assert "holds no job" in ends["empty"]
    assert ends["job-1"] == ""


def test_nothing_goes_on_where_the_iterator_is_closed(tmp_path: Path) -> None:
    jobs = [job(tmp_path, 0), job(tmp_path, 1, seconds=60)]
    ends = LocalExecutor(jobs=2).run(jobs, stops=lambda: False)
    assert next(ends).name == "job-0"
    began = time.monotonic()
    ends.close()  # type: ignore[attr-defined]  # a generator
    assert time.monotonic() - began < 30
    lock = JobFolder(jobs[1].folder).claim()
    assert lock is not None  # its process is gone
    lock.release()


def test_a_worker_whose_starter_is_gone_ends_after_its_job(tmp_path: Path) -> None:
    done = job(tmp_path, 0, seconds=0.2)
    worker = subprocess.Popen(
        [sys.executable, "-m", "vietmer_core.ablation.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps({"folder": str(done.folder)}).encode() + b"\n")
    worker.stdin.close()
    worker.stdout.close()  # nobody reads what it answers
    assert worker.wait(30) == 0
    assert (JobFolder(done.folder).outcome() or {})["status"] == "finished"


def test_ctrl_c_in_the_terminal_is_for_whoever_started_the_workers(tmp_path: Path) -> None:
    done = job(tmp_path, 0)
    worker = subprocess.Popen(
        [sys.executable, "-m", "vietmer_core.ablation.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps({"folder": str(done.folder)}).encode() + b"\n")
    worker.stdin.flush()
    assert json.loads(worker.stdout.readline()) == {"status": "finished"}
    os.kill(worker.pid, signal.SIGINT)  # it has no job
    worker.stdin.close()
    assert worker.wait(30) == 0
    worker.stdout.close()


def test_a_worker_that_was_told_to_stop_gets_no_other_job(tmp_path: Path) -> None:
    """Somebody else has sent it SIGTERM: it has answered, but its process is still there for a moment."""
    leaving: Any = _Worker.__new__(_Worker)
    leaving.job, leaving._is_leaving = job(tmp_path, 0), False
    leaving.answers = io.BytesIO(b'{"status": "interrupted"}\n')
    leaving._process = SimpleNamespace(poll=lambda: None)
    assert leaving.is_alive
    assert leaving.ended() == JobEnd(name="job-0")
    assert not leaving.is_alive


def test_a_worker_that_has_died_before_its_order_is_closed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vietmer_core.ablation.local.WORKER", (sys.executable, "-S", "-E", "-c", ""))
    worker = _Worker(Resources(), gpu=None)
    while worker.is_alive:
        time.sleep(0.01)
    worker.begin(job(tmp_path, 0))
    assert worker.ended().failure.startswith("its process ended with exit code 0")
    worker.close()


def test_a_gpu_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    wanting = job(tmp_path, 0, resources=Resources(gpus=1))
    with pytest.raises(RunError, match=r"needs a GPU \(`resources.gpus`\)"):
        list(LocalExecutor().run([wanting], stops=lambda: False))


@pytest.mark.parametrize(("named", "found"), [("", []), ("-1", []), ("0,3", ["0", "3"]), ("GPU-8932", ["GPU-8932"])])
def test_the_gpus_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch, named: str, found: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == found
