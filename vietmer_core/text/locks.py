"""A lock that a forked process does not inherit in the hands of a thread that it does not have. Torch-free."""

import os
import threading
from types import TracebackType
from typing import final


@final
class ForkSafeLock:
    """`threading.Lock` as a context manager; a forked child starts with it free."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _renew(self) -> None:
        self._lock = threading.Lock()
