"""Jobs on a real cluster: every rule of executors, and a node that dies in the middle."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from vietmer_executor_ray.plugin import RayParams, build

from vietmer_core.ablation.executor import Executor, Job, Resources
from vietmer_core.ablation.job_folder import ATTEMPTS_FILE, JOB_FILE, JobFolder, write_json
from vietmer_core.errors import RunError
from vietmer_core.testing import conformance_tests

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.usefixtures("cluster")]

test_conformance = conformance_tests("executor", "ray")


def job(folder: Path, name: str, *, resources: Resources | None = None, **document: object) -> Job:
    """A rehearsal, written."""
    write_json(folder / name / JOB_FILE, {"job": "rehearsal", "id": name, **document})
    return Job(name=name, folder=folder / name, title=name, resources=resources or Resources())


def attempts(made: Job) -> list[dict[str, Any]]:
    path = made.folder / ATTEMPTS_FILE
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def executor(**params: Any) -> Executor:
    return build(RayParams(**params))


def never() -> bool:
    return False


def test_a_worker_does_many_jobs_and_waits_for_the_next_call(folder: Path) -> None:
    made, jobs = executor(), [job(folder, str(number)) for number in range(4)]
    assert len([*made.run(jobs[:2], stops=never), *made.run(jobs[2:], stops=never)]) == 4
    assert len({attempts(done)[0]["process"] for done in jobs}) == 1


def test_a_node_that_dies_loses_no_job(cluster: Any, node: Any, folder: Path) -> None:
    """The other node does what is left, that which was lost too."""
    jobs = [job(folder, str(number), seconds=4) for number in range(3)]
    killed: list[int] = []

    def kill_once() -> bool:
        if not killed and all(attempts(begun) for begun in jobs[:2]):
            killed.append(1)
            cluster.remove_node(node, allow_graceful=False)
        return False

    ends = list(executor().run(jobs, stops=kill_once))
    assert killed
    assert sorted((end.name, end.failure) for end in ends) == [(done.name, "") for done in jobs]
    assert {(JobFolder(done.folder).outcome() or {}).get("status") for done in jobs} == {"finished"}
    assert sorted(len(attempts(done)) for done in jobs) == [1, 1, 2]


def test_a_worker_that_dies_has_its_job_begun_again_as_often_as_is_allowed(folder: Path) -> None:
    hopeless = job(folder, "hopeless", ends="dies")
    (end,) = executor(retries=1).run([hopeless], stops=never)
    assert end.failure.startswith("it was lost 2 times: its worker process has died")
    assert "\n" not in end.failure
    assert len(attempts(hopeless)) == 2


def test_where_the_generator_is_closed_nothing_goes_on(folder: Path) -> None:
    ends = executor().run([job(folder, "short"), job(folder, "long", seconds=60)], stops=never)
    assert next(iter(ends)).name == "short"
    ends.close()  # type: ignore[attr-defined]  # a generator
    lock = JobFolder(folder / "long").claim()  # nobody has it
    assert lock is not None
    lock.release()


def test_what_no_node_has_is_one_sentence(folder: Path) -> None:
    large = Resources(cpus=64, gpus=0.5, memory_bytes=2**33)
    with pytest.raises(RunError, match=r"what a cell needs: 64 CPUs, 0\.5 GPUs and 8\.0 GiB of memory\.$"):
        list(executor().run([job(folder, "large", resources=large)], stops=never))


def test_a_folder_that_a_node_does_not_see_is_one_sentence(folder: Path) -> None:
    gone = Job(name="gone", folder=folder / "gone", title="gone", resources=Resources())
    (end,) = executor().run([gone], stops=never)
    assert end.failure.endswith(f"does not see its folder {gone.folder}: every machine must, under the same path.")


def test_a_job_that_takes_too_long_is_ended(folder: Path) -> None:
    slow = job(folder, "slow", seconds=60, resources=Resources(minutes=0))
    (end,) = executor().run([slow], stops=never)
    assert end.failure == "it took longer than the `minutes` that the matrix gives it."


def test_the_handler_of_the_command_for_sigterm_stays() -> None:
    assert "ray" not in repr(signal.getsignal(signal.SIGTERM))
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_cluster_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # this process has joined another
    with pytest.raises(RunError, match=r"^the Ray cluster at `127\.0\.0\.1:9` does not answer: .*refused\.$"):
        list(executor(address="127.0.0.1:9").run([job(folder, "one")], stops=never))


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head"])
def test_an_address_is_direct(address: str) -> None:
    with pytest.raises(ValidationError, match="must be `HOST:PORT` or `auto`, without `://`"):
        RayParams(address=address)
