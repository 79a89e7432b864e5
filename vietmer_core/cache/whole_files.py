"""Files of the cache, written whole or not at all, and what a dead writer leaves behind. Torch-free."""

import contextlib
import os
import platform
import re
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psutil

_HOST: Final = re.sub(r"[^A-Za-z0-9.]", "_", platform.node()) or "unknown"
_TEMPORARY: Final = re.compile(r"\.writing-(?P<host>[A-Za-z0-9._]+)-(?P<process>\d+)-[0-9a-f]{8}\.tmp")
_A_DAY: Final = 86_400.0


def write_whole(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file under another name, bring it to the disk and rename it: a kill at any instant leaves it whole.

    Raises:
        OSError: if it cannot be written; nothing is left then.
    """
    temporary = path.with_name(f".writing-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def is_temporary(name: str) -> bool:
    """Whether a file is one that was being written."""
    return _TEMPORARY.fullmatch(name) is not None


def is_leftover(path: Path) -> bool:
    """Whether a file was being written by a process that is dead, or by one of another machine over a day ago."""
    match = _TEMPORARY.fullmatch(path.name)
    if match is None:
        return False
    if match["host"] == _HOST and not psutil.pid_exists(int(match["process"])):
        return True
    try:
        return time.time() - path.stat().st_mtime > _A_DAY
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    """Bring a renaming to the disk, where folders can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
