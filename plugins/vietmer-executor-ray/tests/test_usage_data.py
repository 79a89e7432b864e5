"""Ray sends nothing from a cluster that is started here, whatever the environment says; without the switch it would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from vietmer_core.testing.outbound import attempts_in, processes_in, watched_environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

ENABLED = {"RAY_USAGE_STATS_ENABLED": "1", "RAY_USAGE_STATS_REPORT_INTERVAL_S": "1", "OMP_NUM_THREADS": "1"}
"""A user who lets Ray send, each second instead of each hour."""

ALONE = """
import time, ray
for _ in range(3):
    try:
        ray.init(address="local", num_cpus=1, object_store_memory=80 * 1024**2, logging_level="ERROR")
        break
    except Exception:  # it has not started within 30 s
        ray.shutdown()
time.sleep(6)
"""
JOBS = """
import sys
from pathlib import Path
from vietmer_core.ablation.executor import Job, Resources
from vietmer_executor_ray.plugin import RayParams, build
folder = Path(sys.argv[1])
jobs = [Job(name="one", folder=folder, title="one", resources=Resources())]
(end,) = build(RayParams(jobs=1)).run(jobs, stops=lambda: False)
assert not end.failure, end
assert (folder / "outcome.json").exists()
"""


def attempts(folder: Path, program: str) -> list[str]:
    """What a program, and all that it starts, try to reach."""
    cell = folder / "cell"
    cell.mkdir()
    document = {"job": "rehearsal", "id": "one", "seconds": 5}
    (cell / "job.json").write_text(json.dumps(document), encoding="utf-8")
    here = [address.address for addresses in psutil.net_if_addrs().values() for address in addresses]
    watched = watched_environment(folder / "watch", {**os.environ, **ENABLED, "HOME": str(folder)}, here=here)
    command = [sys.executable, "-W", "ignore", "-c", program, str(cell)]
    done = subprocess.run(command, cwd=folder, env=watched, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert processes_in(folder / "watch") > 2  # the cluster's own, too
    return attempts_in(folder / "watch")


def test_ray_alone_sends(tmp_path: Path) -> None:
    """The counter-example of the next test: it asks the clouds where it is, to say so in its report."""
    assert "socket.getaddrinfo metadata.google.internal" in attempts(tmp_path, ALONE)


def test_switched_off_ray_sends_nothing_while_jobs_run(tmp_path: Path) -> None:
    assert attempts(tmp_path, JOBS) == []
