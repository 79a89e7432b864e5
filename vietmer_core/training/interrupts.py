"""Ctrl-C between two steps: the run is saved whole; a second Ctrl-C stops at once. A request to end does the same."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Final, Self, final

ONE_SECOND: Final = 1.0
"""Ctrl-C that comes again so soon is the same one: a launcher passes on what the terminal has sent to all."""


@final
class Interrupts:
    """Holds Ctrl-C and SIGTERM back inside a `with` block; `is_requested` says whether one came.

    SIGTERM is what a launcher, a cluster or a container sends some time before it kills.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._requested = 0.0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        now = time.monotonic()
        if self.is_requested and number == signal.SIGINT and now - self._requested > ONE_SECOND:
            raise KeyboardInterrupt
        if not self.is_requested:
            self.is_requested, self._requested = True, now
