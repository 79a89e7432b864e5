"""The folder of one job: what it is to do, who does it, what came out. Torch-free.

cell.json        of a cell: levels, resolved spec, data, code (`job.json` of any other job)
claim            locked by who does the job now, and says who that is
attempts.jsonl   a line each time that somebody began
log.txt          all that was printed meanwhile
run/             the run folder
outcome.json     how it ended; what is there is never done again
outcome-N.json   an earlier end, from before `--retry`
"""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.cache.locks import HeldLock, read_holder, try_lock
from vietmer_core.errors import CacheError, ChangedFileError, OutdatedError, RunError
from vietmer_core.files import write_atomically

CELL_FILE: Final = "cell.json"
JOB_FILE: Final = "job.json"
OUTCOME_FILE: Final = "outcome.json"
LOG_FILE: Final = "log.txt"
ATTEMPTS_FILE: Final = "attempts.jsonl"
CLAIM_FILE: Final = "claim"
RUN: Final = "run"
LOST: Final = "lost"
"""The `error` of a job whose worker died under it."""
OUTDATED: Final = (OutdatedError.__name__, ChangedFileError.__name__)
"""The `error` of a job whose data or code is not that which its id is made of."""


def now() -> str:
    """ISO 8601, with seconds and zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file that holds a mapping; None where it is absent.

    Raises:
        RunError: if it is damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {error}. Remove the file; what it says is then done again.") from None
    if not isinstance(value, dict):
        raise RunError(f"{path}: must hold a mapping, but holds {type(value).__name__} instead. Remove the file.")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all.

    Raises:
        RunError: if it cannot be written.
    """
    write_atomically(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


@attrs.frozen
class JobFolder:
    """The files of one job."""

    path: Path

    @property
    def run_path(self) -> Path:
        return self.path / RUN

    @property
    def log_path(self) -> Path:
        return self.path / LOG_FILE

    def document(self) -> dict[str, Any]:
        """What is to be done.

        Raises:
            RunError: if the folder does not say it.
        """
        for name in (CELL_FILE, JOB_FILE):
            found = read_json(self.path / name)
            if found is not None:
                return found
        raise RunError(f"{self.path}: holds no job, since it has no `{CELL_FILE}`.")

    def outcome(self) -> dict[str, Any] | None:
        """How it ended; None where it has not."""
        return read_json(self.path / OUTCOME_FILE)

    def write_outcome(self, outcome: Mapping[str, Any]) -> None:
        """Write how it ended."""
        write_json(self.path / OUTCOME_FILE, outcome)

    def claim(self) -> HeldLock | None:
        """Take the job for this process; None where another process has it. A process that dies gives it up.

        Raises:
            RunError: if the file system has no locks, or the folder cannot be written.
        """
        path = self.path / CLAIM_FILE
        try:
            lock = try_lock(path)
        except OSError as error:
            raise RunError(f"{path}: cannot be locked: {error.strerror or error}.") from None
        except CacheError:
            raise RunError(
                f"{path}: the file system, or the system, has no file locks, without which two commands could run one "
                "cell at once. Name another folder by `--to`."
            ) from None
        if lock is not None:
            holder = json.dumps({"process": os.getpid(), "host": platform.node(), "since": now()})
            try:
                os.ftruncate(lock.descriptor, 0)
                os.pwrite(lock.descriptor, holder.encode(), 0)
            except OSError:
                return lock  # a full disk: the claim holds all the same
        return lock

    def holder(self) -> str:
        """Who has it, or had it last: `process 812 on gpu-3 since …`."""
        return read_holder(self.path / CLAIM_FILE)

    def note_attempt(self, *, resumes: bool) -> int:
        """Note that somebody begins; how many have, this one included.

        Raises:
            RunError: if that cannot be written.
        """
        path = self.path / ATTEMPTS_FILE
        line = json.dumps({"at": now(), "process": os.getpid(), "host": platform.node(), "resumes": resumes})
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            return path.read_bytes().count(b"\n")
        except OSError as error:
            raise RunError(f"{path}: cannot be written: {error.strerror or error}.") from None

    def retire(self, seen: Mapping[str, Any]) -> bool:
        """Set a failure aside, so that the job is done anew, or goes on where nothing of it was wrong.

        False where somebody else has done so, or is at it.

        Args:
            seen: The failure that is meant; another one that has come since stays.
        """
        lock = self.claim()
        if lock is None:
            return False
        try:
            if self.outcome() != seen:
                return False
            if seen.get("error") not in (LOST, *OUTDATED):
                shutil.rmtree(self.run_path, ignore_errors=True)
            number = len(list(self.path.glob("outcome-*.json"))) + 1
            (self.path / OUTCOME_FILE).rename(self.path / f"outcome-{number}.json")
        finally:
            lock.release()
        return True
