"""Files that are written whole or not at all. Torch-free."""

import os
from pathlib import Path

from vietmer_core.errors import RunError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a kill at any instant leaves the previous one.

    Raises:
        RunError: if the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot be written: {error.strerror or error}.") from None


def check_writable(path: Path) -> None:
    """Check, before a long computation, that its result can be written.

    Raises:
        RunError: if the folder of `path` cannot be made or written.
    """
    probe = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}.") from None
