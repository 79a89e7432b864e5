"""Real processes that begin where the imports end: copies of a server that has imported what `vietmer` needs.

A process of `vietmer` imports its libraries for seconds and trains the tiny model of a test for a tenth of one. A test
that needs a process of its own, to kill it or to let several train together, forks it here instead. It does what the
command does, but for what libraries read of the environment while they are imported: that is as it was when the first
process was forked. How a shell or torchrun starts it is tested where that matters.
"""

import multiprocessing
import os
import runpy
import shutil
import signal
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, final

SERVER: Final = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["vietmer_core.cli.main", "vietmer_core.training.runs", "torch._dynamo"])
STREAMS: Final = {1: "out", 2: "err"}


def _run(program: Sequence[str], folder: str, environment: Mapping[str, str], *, said: str, leads: bool) -> None:
    """In the new process: be `vietmer`, or a script, with these arguments."""
    if leads:
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, name in STREAMS.items():
        file = os.open(f"{said}/{name}", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, encoding="utf-8") for number in STREAMS)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = list(program)
    if program[0] != "vietmer":
        runpy.run_path(program[0], run_name="__main__")
        return
    from vietmer_core.cli.main import app

    app()


def _end(process: multiprocessing.process.BaseProcess, said: str) -> None:
    """Nothing is left of a process that a test has given up."""
    if process.is_alive():
        process.kill()
        process.join()
    shutil.rmtree(said, ignore_errors=True)


@final
class Forked:
    """A process of `vietmer`, used as one of `subprocess.Popen`.

    Args:
        arguments: Of the command line.
        environment: All that the process has; that of this one by default.
        folder: The current one by default.
        leads: Whether it leads a session of its own, to be killed with all that it starts.
        script: What is run in place of `vietmer`.
    """

    def __init__(
        self,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        leads: bool = False,
        script: Path | None = None,
    ) -> None:
        self._said = tempfile.mkdtemp()
        program = ["vietmer" if script is None else str(script), *map(str, arguments)]
        given = dict(os.environ if environment is None else environment)
        where = str(Path.cwd() if folder is None else folder)
        self._process = SERVER.Process(
            target=_run, args=(program, where, given), kwargs={"said": self._said, "leads": leads}
        )
        self._process.start()
        weakref.finalize(self, _end, self._process, self._said)
        assert self._process.pid is not None
        self.pid: Final = self._process.pid

    def wait(self, timeout: float = 300) -> int:
        """Its exit code; that of a process killed by a signal is negative."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            self._process.join()
        assert code is not None, f"the process did not end within {timeout} s:\n{self.err}"
        return code

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """To it alone."""
        os.kill(self.pid, number)

    @property
    def out(self) -> str:
        """What it has written to standard output."""
        return self._read("out")

    @property
    def err(self) -> str:
        """What it has written to standard error."""
        return self._read("err")

    def _read(self, name: str) -> str:
        file = Path(self._said, name)
        return file.read_text(encoding="utf-8") if file.exists() else ""
