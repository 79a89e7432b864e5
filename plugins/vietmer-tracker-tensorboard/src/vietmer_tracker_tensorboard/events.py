"""One file of TensorBoard events, written by the thread that trains.

Torch's `SummaryWriter` hands its events to a thread of its own: a full disk is then a traceback of that thread, and
nobody knows what has reached the file. Here an event costs the same and is in the file after `flush`.
"""

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

FILE_VERSION: Final = "brain.Event:2"
"""From this version on, TensorBoard drops what stands at or after the step of a later session."""


@final
class EventFile:
    """A new event file of a folder.

    Args:
        folder: Where; made if it is not there.
        purge_step: The first step of the files before that does not count any more; None where there are none.

    Raises:
        OSError: wherever the disk refuses.
    """

    def __init__(self, folder: Path, *, purge_step: int | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns():020d}.{platform.node()}.{os.getpid()}"
        self._file = (folder / name).open("xb")
        self._records: Any = RecordWriter(self._file)
        self._add(Event(file_version=FILE_VERSION))
        if purge_step is not None:
            self._add(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    def add_scalars(self, scalars: Mapping[str, float], *, step: int) -> None:
        """One event that holds all of them."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._add(Event(step=step, summary=Summary(value=values)))

    def add_summary(self, summary: Any, *, step: int) -> None:
        """A summary made elsewhere."""
        self._add(Event(step=step, summary=summary))

    def flush(self) -> None:
        """Hand everything to the operating system: a killed process loses nothing after that."""
        self._file.flush()

    def close(self) -> None:
        """Flush, and close the file."""
        self._file.close()

    def _add(self, event: Any) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
