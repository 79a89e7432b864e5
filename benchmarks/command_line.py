"""How long the command line takes to start, and the demo to run: whole processes, wall seconds and peak memory.

    nox -s bench -- command_line
    nox -s bench -- command_line --demo

Each command runs once to warm up and then several times, in turn with an empty Python process; the median is printed,
and the ratio to the empty process of the same turn. `--demo` adds one run of `vietmer demo` in a folder of its own.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

VIETMER = [sys.executable, "-c", "from vietmer_core.cli.main import app; app()"]
EMPTY = [sys.executable, "-c", ""]
NUM_TURNS = 7


@attrs.frozen(kw_only=True)
class Cost:
    """What one whole process took: wall seconds and the largest resident memory, MiB."""

    seconds: float
    mebibytes: float


def cost(command: Sequence[str], *, folder: Path | None = None) -> Cost:
    """Run a command, its output thrown away."""
    began = time.perf_counter()
    child = os.fork()
    if not child:
        os.chdir(folder or Path.cwd())
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.execv(command[0], list(command))  # noqa: S606  # the interpreter that runs this, no shell
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"{' '.join(command)}: left with {os.waitstatus_to_exitcode(status)}")
    return Cost(seconds=time.perf_counter() - began, mebibytes=usage.ru_maxrss / 1024)


def print_row(title: str, command: Sequence[str]) -> None:
    """Median of several turns, beside an empty process in the same turn."""
    cost(command)
    pairs = [(cost(command), cost(EMPTY)) for _ in range(NUM_TURNS)]
    seconds = [ours.seconds for ours, _ in pairs]
    ratio = statistics.median(ours.seconds / empty.seconds for ours, empty in pairs)
    memory = statistics.median(ours.mebibytes for ours, _ in pairs)
    spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
    print(f"| {title} | {statistics.median(seconds):.2f} | {spread} | {ratio:.0f} | {memory:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", action="store_true", help="run `vietmer demo` too")
    arguments = parser.parse_args()
    print("| command | seconds, median | range | ÷ empty Python | peak MiB |\n|---|--:|--:|--:|--:|")
    for words in (["--help"], ["plugins"], ["train", "--help"]):
        print_row(f"`vietmer {' '.join(words)}`", [*VIETMER, *words])
    print_row('`python -c "import torch"`', [sys.executable, "-c", "import torch"])
    if arguments.demo:
        with tempfile.TemporaryDirectory() as folder:
            whole = cost([*VIETMER, "demo"], folder=Path(folder))
        print(f"| `vietmer demo`, once | {whole.seconds:.0f} | – | – | {whole.mebibytes:.0f} |")


if __name__ == "__main__":
    main()
