"""Running the cells of a matrix: each at most once, whoever else runs it at the same time. Torch-free."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, final

import attrs

from vietmer_core.ablation.caches import SharedCache, preparations
from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.executor import Executor, Job, JobEnd
from vietmer_core.ablation.identity import DIGITS
from vietmer_core.ablation.job_folder import LOST, JobFolder, now
from vietmer_core.ablation.matrix_folder import MatrixFolder
from vietmer_core.errors import RunError

CellStatus = Literal["pending", "running", "finished", "failed", "elsewhere"]
WAIT_SECONDS: Final = 1.0
"""Between two looks at cells that another command runs."""
MOST_TRIES: Final = 5
"""Times that a job may come back with nothing to show before it counts as failed."""


@final
class Board:
    """How every cell stands; whoever runs them writes it, whoever shows them reads it."""

    def __init__(self, cells: Sequence[Cell], folder: MatrixFolder) -> None:
        self.cells = {cell.name: cell for cell in cells}
        self.folder = folder
        self.statuses: dict[str, CellStatus] = {}
        self.outcomes: dict[str, Mapping[str, Any]] = {}
        self.done_here = 0
        self.began = time.time()
        self.activity = ""
        for name, cell in self.cells.items():
            self.note(name, folder.cell(cell).outcome())

    def note(self, name: str, outcome: Mapping[str, Any] | None) -> None:
        """Note how a cell has ended, or that it has not."""
        if outcome is None:
            self.statuses[name] = "pending"
            self.outcomes.pop(name, None)
            return
        self.statuses[name] = "finished" if outcome["status"] == "finished" else "failed"
        self.outcomes[name] = outcome

    def named(self, *statuses: CellStatus) -> list[Cell]:
        """The cells that stand so, in the order of the matrix."""
        return [cell for name, cell in self.cells.items() if self.statuses[name] in statuses]


@attrs.frozen(kw_only=True)
class Summary:
    """What became of the cells.

    Attributes:
        finished: With scores, those of before included.
        failed: With a reason.
        left: Without an end, where the command was stopped.
        ran: Ended by this command.
        is_stopped: Whether it was told to stop.
    """

    finished: int
    failed: int
    left: int
    ran: int
    is_stopped: bool


@final
class MatrixRunner:
    """Runs cells by an executor.

    Args:
        board: The cells, and where they stand.
        executor: What runs them.
        stops: Whether to stop.
        say: Takes a line for the user.
    """

    def __init__(
        self, board: Board, *, executor: Executor, stops: Callable[[], bool], say: Callable[[str], None]
    ) -> None:
        self._board = board
        self._executor = executor
        self._stops = stops
        self._say = say
        self._tries: dict[str, int] = {}

    def prepare(self, caches: Sequence[SharedCache]) -> None:
        """Compute the features that pending cells share, each once; what was computed before is not looked at again.

        Raises:
            VietmerError: if nothing can be run at all.
        """
        pending = {cell.id for cell in self._board.named("pending")}
        jobs, folders = [], {}
        for cell, read in preparations(caches, pending):
            parts = [cell.split, *sorted(shared.digest for shared in read)]
            digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()
            folder = JobFolder(self._board.folder.path / "prepare" / digest[:DIGITS])
            ended = folder.outcome()
            if ended is not None and ended["status"] == "finished":
                continue
            if ended is not None:
                folder.retire(ended)
            self._write_preparation(folder, digest, cell)
            title = f"features of {' and '.join(shared.encoder for shared in read)}"
            folders[folder.path.name] = (folder, title)
            jobs.append(Job(name=folder.path.name, folder=folder.path, title=title, resources=cell.resources))
        for end in self._executor.run(jobs, stops=self._stops):
            self._tell_preparation(*folders[end.name], end)

    def _write_preparation(self, folder: JobFolder, digest: str, cell: Cell) -> None:
        splits = list(dict.fromkeys(["train", "valid", cell.split]))
        document = {"job": "prepare", "id": digest, "splits": splits, "spec": cell.spec.resolved()}
        self._board.folder.write_job(folder, document)
        self._board.activity = "computing the features that cells share"

    def _tell_preparation(self, folder: JobFolder, title: str, end: JobEnd) -> None:
        outcome = folder.outcome()
        if outcome is not None and outcome["status"] == "finished":
            seconds = outcome["seconds"]["prepare"]
            self._say(f"{title}: {outcome['computed']} computed, {outcome['kept']} kept, {seconds:.1f} s")
        elif not self._stops():
            reason = end.failure if outcome is None else outcome["reason"]
            self._say(f"{title}: {reason or 'another command computes them'} The cells see to it themselves.")

    def run(self) -> Summary:
        """Run every pending cell, and wait for those that another command runs.

        Raises:
            VietmerError: if nothing can be run at all, or a folder cannot be written.
        """
        board = self._board
        board.activity = ""
        while pending := board.named("pending"):
            for cell in pending:
                board.statuses[cell.name] = "running"
            for end in self._executor.run([self._job(cell) for cell in pending], stops=self._stops):
                self._take(end)
            if self._stops():
                break
            self._wait_for_others()
        left = board.named("pending", "running", "elsewhere")
        return Summary(
            finished=len(board.named("finished")),
            failed=len(board.named("failed")),
            left=len(left),
            ran=board.done_here,
            is_stopped=bool(left) and self._stops(),
        )

    def _job(self, cell: Cell) -> Job:
        folder = self._board.folder.cell(cell).path
        return Job(name=cell.name, folder=folder, title=cell.title, resources=cell.resources)

    def _take(self, end: JobEnd) -> None:
        """Note how a cell has ended; one that came back without an end is held by another command."""
        board, cell = self._board, self._board.cells[end.name]
        folder = board.folder.cell(cell)
        outcome = folder.outcome()
        if outcome is None and end.failure and not self._stops():
            outcome = _record_loss(cell, folder, end.failure)
        if outcome is None:
            board.statuses[end.name] = "elsewhere"
            return
        board.note(end.name, outcome)
        board.done_here += 1
        if outcome["status"] != "finished":
            self._say(f"failed: {cell.title}: {outcome['reason']} Its log: {folder.log_path}")

    def _wait_for_others(self) -> None:
        """Until each cell that another command runs has ended, or can be taken over."""
        board = self._board
        while waiting := board.named("elsewhere"):
            for cell in waiting:
                folder = board.folder.cell(cell)
                lock = folder.claim()
                if lock is None:
                    continue
                try:
                    self._take_over(cell, folder)
                finally:
                    lock.release()
            if self._stops() or board.named("pending") or not board.named("elsewhere"):
                return
            time.sleep(WAIT_SECONDS)

    def _take_over(self, cell: Cell, folder: JobFolder) -> None:
        """Note what the other command has left: an end, or a cell that waits again."""
        outcome = folder.outcome()
        if outcome is None:
            self._tries[cell.name] = self._tries.get(cell.name, 0) + 1
            if self._tries[cell.name] > MOST_TRIES:
                raise RunError(f"{folder.path}: the cell is begun again and again, and never ends. Look at its log.")
        self._board.note(cell.name, outcome)


def retry_failed(board: Board) -> None:
    """Set failures aside, so that their cells are run again.

    A cell that was lost with its worker, or whose data or code had changed, goes on from its checkpoint; any other
    begins anew.

    Raises:
        RunError: if a folder cannot be written.
    """
    for cell in board.named("failed"):
        folder, seen = board.folder.cell(cell), board.outcomes[cell.name]
        folder.retire(seen)
        board.note(cell.name, folder.outcome())


def _record_loss(cell: Cell, folder: JobFolder, failure: str) -> dict[str, Any] | None:
    """Write that a cell was lost with its worker; None where another process does it by now."""
    lock = folder.claim()
    if lock is None:
        return None
    try:
        outcome = folder.outcome()
        if outcome is None:
            outcome = {
                "version": 1,
                "id": cell.id,
                "status": "failed",
                "reason": failure,
                "error": LOST,
                "ended": now(),
            }
            folder.write_outcome(outcome)
        return outcome
    finally:
        lock.release()
