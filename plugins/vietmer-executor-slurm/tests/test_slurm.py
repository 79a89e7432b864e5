"""Jobs through submitit: its own processes, and a Slurm of one machine that runs what `sbatch` is given."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from vietmer_executor_slurm.plugin import SlurmParams, build
from vietmer_executor_slurm.submitting import parameters

from vietmer_core.ablation.executor import Job, JobEnd, Resources
from vietmer_core.ablation.job_folder import ATTEMPTS_FILE, JOB_FILE, JobFolder, write_json
from vietmer_core.errors import RunError
from vietmer_core.testing import conformance_tests

pytestmark = pytest.mark.slow

test_conformance = conformance_tests("executor", "slurm")


def job(folder: Path, name: str, *, resources: Resources | None = None, **document: object) -> Job:
    """A rehearsal, written."""
    path = folder / "cells" / name
    write_json(path / JOB_FILE, {"job": "rehearsal", "id": name, **document})
    return Job(name=name, folder=path, title=name, resources=resources or Resources())


def attempts(made: Job) -> list[dict[str, Any]]:
    path = made.folder / ATTEMPTS_FILE
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def run(jobs: list[Job], /, *, stops: Callable[[], bool] = lambda: False, **params: Any) -> list[JobEnd]:
    return list(build(SlurmParams(poll_seconds=0.2, **params)).run(jobs, stops=stops))


def status(made: Job) -> object:
    return (JobFolder(made.folder).outcome() or {}).get("status")


def test_cells_of_equal_needs_are_one_array_with_what_they_need(slurm: Any, tmp_path: Path) -> None:
    needs = Resources(cpus=2, gpus=0.5, memory_bytes=3 * 2**30, minutes=30)
    jobs = [*(job(tmp_path, str(number), resources=needs) for number in range(3)), job(tmp_path, "plain")]
    ends = run(jobs, partition="gpu", account="ser", qos="low", jobs=2, setup=["module() { :; }"], extra={"nice": 100})
    assert sorted(ends, key=lambda end: end.name) == [JobEnd(name=made.name) for made in jobs]
    assert {status(made) for made in jobs} == {"finished"}
    scripts = [path.read_text(encoding="utf-8").splitlines() for path in sorted(slurm.STATES.glob("*.sbatch"))]
    assert len(scripts) == 2
    wanted = ["account=ser", "array=0-2%2", "cpus-per-task=2", "gpus-per-node=1", "mem=3GB", "nice=100"]
    wanted += ["partition=gpu", "qos=low", "requeue", "signal=USR2@90", "time=30"]
    assert [line for line in (f"#SBATCH --{option}" for option in wanted) if line not in scripts[0]] == []
    assert {"export OMP_NUM_THREADS=2", "module() { :; }"} <= set(scripts[0])
    assert not any("--array" in line or "gpus" in line for line in scripts[1])
    outcome = JobFolder(jobs[0].folder).outcome() or {}
    assert outcome["threads"]["OMP_NUM_THREADS"] == "2"


def test_before_the_time_limit_a_run_saves_itself_and_the_job_is_requeued(slurm: Any, tmp_path: Path) -> None:
    """SIGUSR2 comes once; the job, of the same id, does the rest."""
    made, sent = job(tmp_path, "long", seconds=3), list[int]()

    def warn_once() -> bool:
        if attempts(made) and not sent:
            sent.append(1)
            slurm.send("100", signal.SIGUSR2)
        return False

    assert run([made], stops=warn_once) == [JobEnd(name="long")]
    assert status(made) == "finished"
    assert len(attempts(made)) == 2
    assert [path.name for path in slurm.STATES.glob("*.sbatch")] == ["100.sbatch"]


@pytest.mark.parametrize(("state", "again"), [("NODE_FAIL", True), ("OUT_OF_MEMORY", False)])
def test_a_job_that_slurm_ends_is_submitted_again_where_its_node_failed(
    slurm: Any, tmp_path: Path, state: str, again: bool
) -> None:
    made, ended = job(tmp_path, "one", seconds=2), list[int]()

    def end_once() -> bool:
        if attempts(made) and not ended:
            ended.append(1)
            (slurm.STATES / "100.state").write_text(state, encoding="utf-8")
            slurm.send("100", signal.SIGKILL)
        return False

    (end,) = run([made], stops=end_once)
    assert end.failure == ("" if again else "it took more than the `memory` that the matrix gives it.")
    assert len(attempts(made)) == (2 if again else 1)


def test_a_stop_takes_back_what_waits_and_saves_what_runs(slurm: Any, tmp_path: Path) -> None:
    jobs = [job(tmp_path, str(number), seconds=60) for number in range(3)]
    ends = run(jobs, stops=lambda: bool(attempts(jobs[0])), jobs=1)
    assert ends == [JobEnd(name="0")]
    assert {path.read_text(encoding="utf-8") for path in slurm.STATES.glob("*.state")} == {"CANCELLED by 0"}
    lock = JobFolder(jobs[0].folder).claim()  # nobody has it
    assert lock is not None
    lock.release()


def test_a_job_that_cannot_be_done_at_all_ends_with_the_reason(slurm: Any, tmp_path: Path) -> None:
    assert slurm.STATES.is_dir()
    made = job(tmp_path, "none")
    (made.folder / JOB_FILE).unlink()
    (end,) = run([made])
    assert "holds no job" in end.failure


def test_a_refusal_of_sbatch_is_one_sentence(slurm: Any, tmp_path: Path) -> None:
    refusing = slurm.STATES.parent / "sbatch"
    refusing.write_text("#!/bin/sh\necho 'error: invalid partition specified: gpux' >&2; exit 1\n", encoding="utf-8")
    with pytest.raises(RunError, match=r"cannot be submitted to Slurm: .*invalid partition specified: gpux") as caught:
        run([job(tmp_path, "one")], partition="gpux")
    assert "\n" not in str(caught.value)


def test_without_slurm_the_sentence_says_what_is_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match="needs `sbatch`, `srun`, `sacct`, `scancel` on the PATH"):
        run([job(tmp_path, "one")])


def test_submitit_alone_requeues_a_process_of_this_machine_too(tmp_path: Path) -> None:
    made, sent = job(tmp_path, "long", seconds=2), list[int]()

    def warn_once() -> bool:
        found = attempts(made)
        if found and not sent:
            sent.append(1)
            os.kill(found[0]["process"], signal.SIGUSR2)
        return False

    assert run([made], stops=warn_once, cluster="local") == [JobEnd(name="long")]
    assert len(attempts(made)) == 2


def test_a_job_with_a_short_time_limit_is_not_told_to_stop_as_it_begins() -> None:
    delays = [
        parameters(SlurmParams(minutes=minutes), Resources())["slurm_signal_delay_s"] for minutes in (1, 2, 3, 60)
    ]
    assert delays == [30, 60, 90, 90]
    assert parameters(SlurmParams(), Resources(minutes=1))["slurm_signal_delay_s"] == 30


@pytest.mark.parametrize(
    "wrong", [{"extra": {"--nice": 1}}, {"extra": {"nice": 1.5}}, {"minutes": 0}, {"partition": " "}, {"nodes": 2}]
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SlurmParams.model_validate(wrong)
