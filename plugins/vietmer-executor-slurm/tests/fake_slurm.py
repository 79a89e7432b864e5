"""The commands of Slurm that submitit calls, for one machine: they run what is submitted, and keep states in files.

`install` writes `sbatch`, `srun`, `sacct`, `scancel` and `scontrol` into a folder that goes on the PATH.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

STATES = Path(os.environ.get("FAKE_SLURM", "/nowhere"))
COMMANDS = ("sbatch", "srun", "sacct", "scancel", "scontrol")


def install(folder: Path) -> None:
    """Write the commands, and make the folder of states below."""
    (folder / "states").mkdir(parents=True)
    for name in COMMANDS:
        script = folder / name
        line = f'exec {shlex.quote(sys.executable)} -S {shlex.quote(__file__)} {name} "$@"'
        script.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        script.chmod(0o755)


def sbatch(script: str) -> None:
    number = str(100 + len(list(STATES.glob("*.sbatch"))))
    text = Path(script).read_text(encoding="utf-8")
    (STATES / f"{number}.sbatch").write_text(text, encoding="utf-8")
    array = re.search(r"--array=0-(\d+)%(\d+)", text)
    names = [f"{number}_{task}" for task in range(int(array[1]) + 1)] if array else [number]
    for name in names:
        (STATES / f"{name}.state").write_text("PENDING", encoding="utf-8")
    arguments = [number, array[2] if array else "1", *names]
    command = [sys.executable, "-S", __file__, "runner", *arguments]
    subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sys.stdout.write(f"Submitted batch job {number}\n")


def runner(number: str, parallel: str, *names: str) -> None:
    limit = threading.Semaphore(int(parallel))
    threads = [threading.Thread(target=_task, args=(number, name, limit)) for name in names]
    for thread in threads:
        thread.start()


def _task(number: str, name: str, limit: threading.Semaphore) -> None:
    state = STATES / f"{name}.state"
    with limit:
        while state.read_text(encoding="utf-8") == "PENDING":
            state.write_text("RUNNING", encoding="utf-8")
            environment = {**os.environ, "SLURM_JOB_ID": number, "SLURM_JOB_NUM_NODES": "1", "SLURM_NTASKS": "1"}
            if "_" in name:
                environment |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": name.split("_")[1]}
            command = ["bash", str(STATES / f"{number}.sbatch")]
            process = subprocess.Popen(command, env=environment, start_new_session=True)
            (STATES / f"{name}.pid").write_text(str(process.pid), encoding="utf-8")
            code = process.wait()
            if state.read_text(encoding="utf-8") == "RUNNING":
                state.write_text("COMPLETED" if code == 0 else "FAILED", encoding="utf-8")


def srun(*arguments: str) -> None:
    rest = list(arguments)
    while rest[0].startswith("--"):
        name = rest.pop(0)
        if name in ("--output", "--error"):
            job = os.environ.get("SLURM_ARRAY_JOB_ID", os.environ["SLURM_JOB_ID"])
            path = rest.pop(0).replace("%t", "0").replace("%j", job).replace("%A", job)
            path = path.replace("%a", os.environ.get("SLURM_ARRAY_TASK_ID", ""))
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(opened, 1 if name == "--output" else 2)
    os.execvp(rest[0], rest)  # noqa: S606  # as srun does


def sacct(*_arguments: str) -> None:
    sys.stdout.write("JobID|State|NodeList\n")
    for path in STATES.glob("*.state"):
        sys.stdout.write(f"{path.stem}|{path.read_text(encoding='utf-8')}|here\n")


def scancel(*arguments: str) -> None:
    for name in arguments:
        state = STATES / f"{name}.state"
        if state.read_text(encoding="utf-8") in ("PENDING", "RUNNING"):
            state.write_text("CANCELLED by 0", encoding="utf-8")
            threading.Thread(target=_end, args=(name,)).start()


def _end(name: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        send(name, number)
        time.sleep(3)


def send(name: str, number: int) -> None:
    """Send a signal to the processes of a job, its batch script aside."""
    try:
        parent = int((STATES / f"{name}.pid").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    children = Path(f"/proc/{parent}/task/{parent}/children")
    for child in children.read_text(encoding="utf-8").split() if children.exists() else []:
        os.kill(int(child), number)


def scontrol(_requeue: str, name: str) -> None:
    (STATES / f"{name}.state").write_text("PENDING", encoding="utf-8")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
