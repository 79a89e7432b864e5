"""Locks between processes that the kernel gives up when their process dies. Torch-free.

They are `flock` on a file (Linux, macOS). A lock belongs to the object that holds it: two in one process exclude each
other like those of two processes, and a forked child holds none of its parent's.
"""

import errno
import json
import os
import platform
import sys
import time
import weakref
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, final

from vietmer_core.errors import CacheError

WAIT_SECONDS: Final = 0.1
"""Between two attempts to get a lock that another process holds."""
_UNSUPPORTED: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


@final
class HeldLock:
    """A lock that is held; given up by `release`, by garbage collection and by the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._close: Final = weakref.finalize(self, os.close, descriptor)
        self.descriptor: Final = descriptor
        _HELD.add(self)

    @property
    def is_held(self) -> bool:
        """Whether it is open in this process."""
        return self._close.alive

    def release(self) -> None:
        """Give it up; closing alone would leave it to a child that was forked meanwhile."""
        if self._close.alive:
            import fcntl

            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self._close()

    def forget(self) -> None:
        """Close a forked child's copy, which leaves the lock to the parent."""
        self._close()


_HELD: Final[weakref.WeakSet[HeldLock]] = weakref.WeakSet()


def _forget_in_child() -> None:
    for lock in list(_HELD):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def try_lock(path: Path, *, shared: bool = False, make: bool = True) -> HeldLock | None:
    """Lock a file now; None if another holds it, or if the file is being removed.

    Args:
        path: The file; made where `make` is true and it is absent.
        shared: Let others hold it shared too.
        make: Whether to make it.

    Raises:
        OSError: if the file cannot be opened.
        CacheError: if the file system, or the system, has no such locks.
    """
    if sys.platform == "win32":
        raise CacheError(f"{path}: the feature cache needs the file locks of Linux or macOS. Leave `cache` out here.")
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o666)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return HeldLock(descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(descriptor)
        if error.errno in _UNSUPPORTED:
            raise CacheError(
                f"{path}: the file system has no file locks, which keep two processes from writing at once. Name a "
                "`cache.folder` on another disk."
            ) from None
        raise
    os.close(descriptor)
    return None


def lock_in_turn(path: Path, *, on_wait: Callable[[str], None] | None = None) -> HeldLock:
    """Lock a file for this process alone, after those that hold it now.

    Args:
        path: The file.
        on_wait: Told who holds it, when the wait begins and when that changes.

    Raises:
        OSError: if the file cannot be opened.
        CacheError: if there are no such locks.
    """
    told = ""
    while True:
        lock = try_lock(path)
        if lock is not None:
            _sign(lock)
            return lock
        holder = read_holder(path)
        if on_wait is not None and holder != told:
            on_wait(holder)
        told = holder
        time.sleep(WAIT_SECONDS)


def read_holder(path: Path) -> str:
    """Who holds a lock, or held it last: `process 812 on gpu-3 since 2026-03-01 10:00:00`."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['process']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _sign(lock: HeldLock) -> None:
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    text = json.dumps({"process": os.getpid(), "host": platform.node(), "since": since})
    try:
        os.ftruncate(lock.descriptor, 0)
        os.pwrite(lock.descriptor, text.encode(), 0)
    except OSError:
        return  # a full disk: the lock holds all the same, and the others read "another process"
