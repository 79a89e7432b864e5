"""Files that are written whole or not at all. Torch-free."""

import contextlib
import hashlib
import os
from functools import lru_cache
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
        with contextlib.suppress(OSError):  # there is nothing to remove where the folder is a file
            temporary.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot be written: {error.strerror or error}.") from None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; one that has not changed since is not read again.

    Raises:
        OSError: if it cannot be read.
    """
    found = path.stat()
    return _sha256_of(path, found.st_size, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=2**16)
def _sha256_of(path: Path, size: int, modified: int, inode: int) -> str:  # noqa: ARG001  # a changed file is read again
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_mib(num_bytes: int) -> str:
    """A size for people."""
    mib = num_bytes / 2**20
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.1f} MiB"


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
