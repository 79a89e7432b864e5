"""Attempts to reach another machine: refused, and written down. Imports nothing of VietMER.

`watched_environment` makes a copy of this file the `sitecustomize` of every interpreter that is started in it, and of
those that they start. What is seen are Python's own sockets; those of a library written in C are not.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

LOG_VARIABLE: Final = "VIETMER_OUTBOUND_LOG"
HERE_VARIABLE: Final = "VIETMER_OUTBOUND_HERE"
_HOST_AT: Final = {
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
}
"""Events of `sys.addaudithook`, and which of their arguments is a host, or an address that begins with one."""

_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy")
_TESTING: Final = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "PYTEST_CURRENT_TEST", "PYTEST_VERSION")
"""Where these are set some libraries send nothing; a user has none of them."""

_listeners: list[Callable[[str, tuple[Any, ...]], None]] = []
_hooked: list[bool] = []


def outbound(event: str, arguments: tuple[Any, ...]) -> str:
    """What an audit event tries to reach; an empty string where it stays on this machine."""
    if event not in _HOST_AT:
        return ""
    address = arguments[_HOST_AT[event]]
    host = address[0] if isinstance(address, tuple) and address else address
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    is_path = event.startswith("socket.connect") and not isinstance(address, tuple)  # of a socket between processes
    if is_path or not isinstance(host, str) or host in {"", "localhost", "::1"} or host.startswith("127."):
        return ""
    if host in os.environ.get(HERE_VARIABLE, "").split():
        return ""
    return f"{event} {host}"


@contextmanager
def audited(listener: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    """Tell a listener every audit event of this process, all threads included; it may refuse one by raising."""
    if not _hooked:
        sys.addaudithook(_tell)  # for ever: Python has no way to take one away
        _hooked.append(True)
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _tell(event: str, arguments: tuple[Any, ...]) -> None:
    for listener in tuple(_listeners or ()):  # None while the interpreter ends
        listener(event, arguments)


@contextmanager
def refused(attempts: list[str]) -> Iterator[None]:
    """Refuse every attempt of this process, and add it to a list."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        attempt = outbound(event, arguments)
        if attempt:
            attempts.append(attempt)
            raise PermissionError(f"refused: {attempt}")

    with audited(refuse):
        yield


def watched_environment(folder: Path, environment: Mapping[str, str], *, here: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a process that is watched with all that it starts; `attempts_in` tells what they tried.

    Proxies are left out, so that an attempt names the host that it means, and so are the variables of a test run.

    Args:
        folder: A fresh folder.
        environment: Of a user.
        here: Other addresses of this machine, which are let through.
    """
    folder.mkdir(parents=True)
    shutil.copy(__file__, folder / "sitecustomize.py")
    path = os.pathsep.join([str(folder), *(entry for entry in sys.path if entry)])
    kept = {name: value for name, value in environment.items() if name.lower() not in _PROXIES and name not in _TESTING}
    return {**kept, "PYTHONPATH": path, LOG_VARIABLE: str(folder / "log"), HERE_VARIABLE: " ".join(here)}


def attempts_in(folder: Path) -> list[str]:
    """What the processes of that folder tried to reach."""
    return [line for line in _lines(folder) if line.startswith("socket.")]


def processes_in(folder: Path) -> int:
    """How many interpreters were watched."""
    return sum(line.startswith("process ") for line in _lines(folder))


def _lines(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


class _Log(list[str]):
    """A list that is a file, to which processes append."""

    def append(self, line: str) -> None:
        with open(os.environ[LOG_VARIABLE], "a", encoding="utf-8") as file:  # noqa: PTH123  # `pathlib` costs each interpreter 10 ms
            file.write(f"{line}\n")


if __name__ == "sitecustomize" and LOG_VARIABLE in os.environ:
    _log = _Log()
    _log.append(f"process {os.getpid()}")
    _watch = refused(_log)
    _watch.__enter__()  # until the process ends
