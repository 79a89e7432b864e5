"""Starting `vietmer train` in processes of its own: one, or several as torchrun starts them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest

from vietmer_core.training.run_folder import RunFolder

LAUNCHER = re.compile(
    r"torch[/.]distributed|^[WE]\d{4}|^    |^  File|^  (time|host|rank|exitcode|error_file|traceback) "
    r"|^Traceback|^=+$|^-+$|FAILED|Failures|Root Cause|^\[\d\]"
)
"""What torchrun writes of its own when a process of it fails."""


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


def command(*arguments: str | Path, processes: int = 1, script: Path | None = None) -> list[str]:
    """The command line of `vietmer`, or of a script that stands for it."""
    program = ["-m", "vietmer_core"] if script is None else [str(script)]
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--master_port=0"]
    launcher += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]  # a free port for each launch
    return [sys.executable, *(launcher if processes > 1 else []), *program, *map(str, arguments)]


def launch(
    *arguments: str | Path, processes: int = 1, script: Path | None = None, more: Mapping[str, str] | None = None
) -> Launched:
    """Run `vietmer` to its end."""
    done = subprocess.run(
        command(*arguments, processes=processes, script=script),
        env=environment(**(more or {})),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    err = "\n".join(line for line in done.stderr.splitlines() if not LAUNCHER.search(line))
    return Launched(code=done.returncode, out=done.stdout, err=err)


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
