"""`vietmer train` in processes of its own: one, or several that train together, as torchrun starts them or forked."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from tests.forked import Forked
from vietmer_core.training.run_folder import RunFolder

LAUNCHER = re.compile(
    r"torch[/.]distributed|^[WE]\d{4}|^    |^  File|^  (time|host|rank|exitcode|error_file|traceback) "
    r"|^Traceback|^=+$|^-+$|FAILED|Failures|Root Cause|^\[\d\]"
)
"""What torchrun writes of its own when a process of it fails."""
MOST_SECONDS = 300.0
SECONDS_AFTER_A_FAILURE = 60.0
"""For the other processes of a run of which one has failed."""


@attrs.frozen(kw_only=True)
class Launched:
    """How a launch ended: its exit code, and the lines of both streams without those of the launcher itself."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """That of this process, with one thread, as if no launcher had started it."""
    left_out = {"RANK", "LOCAL_RANK", "WORLD_SIZE"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


def command(*arguments: str | Path, processes: int) -> list[str]:
    """The command line of torchrun, which starts `vietmer` in so many processes."""
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--master_port=0"]
    launcher += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]  # a free port for each launch
    return [sys.executable, *launcher, "-m", "vietmer_core", *map(str, arguments)]


def torchrun(*arguments: str | Path, processes: int) -> Launched:
    """Run `vietmer` to its end, as torchrun starts it."""
    done = subprocess.run(
        command(*arguments, processes=processes),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_SECONDS,
    )
    err = "\n".join(line for line in done.stderr.splitlines() if not LAUNCHER.search(line))
    return Launched(code=done.returncode, out=done.stdout, err=err)


def launch(*arguments: str | Path, processes: int = 1, script: Path | None = None) -> Launched:
    """Run `vietmer`, or a script that stands for it, to its end, with the environment that torchrun gives."""
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    together = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "localhost", "MASTER_PORT": str(_free_port())}
    given = [environment(**rank, **together) for rank in ranks] if processes > 1 else [environment()]
    started = [Forked(*arguments, environment=each, script=script) for each in given]
    deadline = time.monotonic() + MOST_SECONDS
    while all(process.poll() is None for process in started) and time.monotonic() < deadline:
        time.sleep(0.01)
    has_failed = any(process.poll() for process in started)
    rest = SECONDS_AFTER_A_FAILURE if has_failed else max(0.0, deadline - time.monotonic())
    codes = [process.wait(rest) for process in started]
    said = ["".join(getattr(process, stream) for process in started) for stream in ("out", "err")]
    return Launched(code=max(codes, key=abs), out=said[0], err=said[1])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port: int = listener.getsockname()[1]
    return port


def only_run(root: Path) -> RunFolder:
    """The one run in a folder."""
    (path,) = root.iterdir()
    return RunFolder(path)


def wait_for_steps(root: Path, number: int, *, seconds: float = 60) -> None:
    """Wait until the run in a folder has taken some more steps."""
    began, before = time.monotonic(), None
    while time.monotonic() - began < seconds:
        records = sum(path.read_bytes().count(b"\n") for path in root.glob("*/metrics.jsonl"))
        before = records if before is None else min(before, records)
        if records - before >= number:
            return
        time.sleep(0.005)
    pytest.fail(f"the run took no {number} steps in {seconds} s")
