"""What a matrix will do: its cells, what they share, and about how long they take. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Final

import attrs

from vietmer_core.ablation.caches import SharedCache
from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.executor import Executor, Job
from vietmer_core.ablation.job_folder import JobFolder
from vietmer_core.ablation.running import Board

MOST_ROWS: Final = 60


@attrs.frozen(kw_only=True, eq=False)
class Plan:
    """What is to be done.

    Attributes:
        cells: All of the matrix.
        chosen: Those that are meant.
        num_excluded: Cells that `exclude` leaves out.
        board: Where those that are meant stand.
        caches: Features that they share.
        seconds: About what a cell of each kind takes, on one worker; from cells that have finished or from a probe.
    """

    cells: Sequence[Cell]
    chosen: Sequence[Cell]
    num_excluded: int
    board: Board
    caches: Sequence[SharedCache]
    seconds: Mapping[str, float]

    def kinds(self) -> dict[str, list[Cell]]:
        """The chosen cells by what they have in common, replicates aside."""
        found: dict[str, list[Cell]] = {}
        for cell in self.chosen:
            found.setdefault(cell.kind, []).append(cell)
        return found

    def seconds_left(self) -> float | None:
        """About what the pending cells take on one worker; None where nothing is known. Others count as usual."""
        if not self.seconds:
            return None
        usual = mean(self.seconds.values())
        return sum(self.seconds.get(cell.kind, usual) for cell in self.board.named("pending"))


def known_seconds(board: Board, cells: Sequence[Cell]) -> dict[str, float]:
    """The mean time of the finished cells of each kind, else of its probe."""
    found: dict[str, list[float]] = {}
    for cell in cells:
        outcome = board.outcomes.get(cell.name)
        if outcome is not None and outcome["status"] == "finished" and outcome.get("attempts") == 1:
            found.setdefault(cell.kind, []).append(float(outcome["seconds"]["total"]))
    means = {kind: mean(times) for kind, times in found.items()}
    for cell in cells:
        if cell.kind not in means:
            outcome = _probe_folder(board, cell).outcome()
            if outcome is not None and outcome["status"] == "finished":
                means[cell.kind] = float(outcome["estimate"])
    return means


def probe_jobs(board: Board, cells: Sequence[Cell]) -> Iterator[Job]:
    """A job for each kind that has a pending cell and whose time is not known; its folder says what to do."""
    known = known_seconds(board, cells)
    pending = {cell.name for cell in board.named("pending")}
    taken: set[str] = set()
    for cell in cells:
        if cell.kind in known or cell.kind in taken or cell.name not in pending:
            continue
        taken.add(cell.kind)
        folder = _probe_folder(board, cell)
        ended = folder.outcome()
        if ended is not None:
            folder.retire(ended)
        document = {"job": "probe", "id": cell.id, "split": cell.split, "spec": cell.spec.resolved()}
        board.folder.write_job(folder, document)
        yield Job(name=cell.name, folder=folder.path, title=cell.kind, resources=cell.resources)


def run_probes(board: Board, cells: Sequence[Cell], executor: Executor) -> list[str]:
    """Time a few steps of every kind whose time is not known; why it is still not known of some, a line each.

    Raises:
        VietmerError: if nothing can be run at all.
    """
    jobs = {job.name: job for job in probe_jobs(board, cells)}
    lines = []
    for end in executor.run(list(jobs.values()), stops=lambda: False):
        job = jobs[end.name]
        outcome = JobFolder(job.folder).outcome()
        if outcome is None or outcome["status"] != "finished":
            reason = end.failure if outcome is None else outcome["reason"]
            lines.append(f"not timed: {job.title}: {reason or 'another command times it'}")
    return lines


def _probe_folder(board: Board, cell: Cell) -> JobFolder:
    """One for each kind, named by its first cell that was timed."""
    return JobFolder(board.folder.path / "probe" / cell.name)
