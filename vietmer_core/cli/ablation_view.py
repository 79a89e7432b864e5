"""What a terminal shows of a matrix that is run, and how its plan is printed. Torch-free."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, final

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.text import Text

from vietmer_core.ablation.job_folder import ATTEMPTS_FILE, JobFolder, read_json
from vietmer_core.cli.training_view import duration
from vietmer_core.errors import RunError
from vietmer_core.training.run_folder import STATUS_FILE

if TYPE_CHECKING:
    from vietmer_core.ablation.cell import Cell
    from vietmer_core.ablation.planning import Plan
    from vietmer_core.ablation.running import Board

MOST_RUNNING: Final = 12
"""Cells under way that are shown."""
MOST_CACHES: Final = 12
METRIC: Final = "macro_f1"


@final
class AblationView:
    """How the cells stand, read from their folders whenever it is drawn.

    Args:
        board: What is known of the cells.
        name: Of the matrix.
    """

    def __init__(self, board: "Board", *, name: str) -> None:
        self._board = board
        self._name = name

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The bar, the counts and the cells under way."""
        width = max(20, options.max_width - 2)
        lines = [self._heading(), *self._running(), *self._best()]
        yield Group(self._bar(width), *(Text(line[:width], no_wrap=True, overflow="ellipsis") for line in lines))

    def _bar(self, width: int) -> Text:
        total = max(1, len(self._board.cells))
        done = width * len(self._board.named("finished")) // total
        failed = width * len(self._board.named("failed")) // total
        left = width - done - failed
        return Text.assemble(("━" * done, "bar.complete"), ("━" * failed, "red"), ("─" * left, "bar.back"))

    def _heading(self) -> str:
        board = self._board
        finished, failed = len(board.named("finished")), len(board.named("failed"))
        parts = [f"{self._name}: {finished} of {len(board.cells)} cells"]
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{len(elsewhere)} elsewhere"] if (elsewhere := board.named("elsewhere")) else []
        parts += [board.activity] if board.activity else []
        left = len(board.cells) - finished - failed
        if board.done_here and left:
            parts.append(f"{duration((time.time() - board.began) / board.done_here * left)} left")
        return "   ".join(parts)

    def _running(self) -> Iterator[str]:
        under_way = [cell for cell in self._board.named("running") if _has_begun(self._board, cell)]
        for cell in under_way[:MOST_RUNNING]:
            yield f"  {cell.title}: {_progress(self._board.folder.cell(cell))}"
        if len(under_way) > MOST_RUNNING:
            yield f"  and {len(under_way) - MOST_RUNNING} more"

    def _best(self) -> Iterator[str]:
        scored = [
            (outcome["scores"][METRIC], name)
            for name, outcome in list(self._board.outcomes.items())
            if METRIC in outcome.get("scores", {})
        ]
        if scored:
            value, name = max(scored)
            cell = self._board.cells[name]
            yield f"  best {cell.split} {METRIC} so far {value:.3f}: {cell.title}"


def _has_begun(board: "Board", cell: "Cell") -> bool:
    try:
        return (board.folder.cell(cell).path / ATTEMPTS_FILE).stat().st_mtime >= board.began - 1
    except OSError:
        return False


def _progress(folder: JobFolder) -> str:
    """Its epoch and the best validation score so far, from its run folder."""
    try:
        status: dict[str, Any] = read_json(folder.run_path / STATUS_FILE) or {}
    except RunError:
        status = {}
    if "epochs" not in status:
        return "begins"
    if status.get("outcome") in ("finished", "stopped_early"):
        return "is scored"
    said = f"epoch {min(int(status.get('epoch', 0)) + 1, int(status['epochs']))} of {status['epochs']}"
    best = status.get("best", {}).get(status.get("monitor"))
    return said if best is None else f"{said}, valid {status['monitor']} {best:.3f}"


def show_plan(console: Console, plan: "Plan", *, workers: int | None = None) -> None:
    """Print what a matrix is going to do."""

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    excluded = f", {plan.num_excluded} excluded" if plan.num_excluded else ""
    chosen = f", {len(plan.chosen)} chosen" if len(plan.chosen) != len(plan.cells) else ""
    board, kinds = plan.board, plan.kinds()
    kind = "1 kind" if len(kinds) == 1 else f"{len(kinds)} kinds"
    say(f"{len(plan.cells)} cells{excluded}{chosen}; {kind}, replicates aside")
    counts = {status: len(board.named(status)) for status in ("finished", "failed", "pending")}
    say(f"{counts['finished']} finished, {counts['failed']} failed, {counts['pending']} to run")
    for cell in board.named("failed"):
        say(f"  failed: {cell.title}: {board.outcomes[cell.name]['reason']}")
    for shared in plan.caches[:MOST_CACHES]:
        say(f"features computed once: {shared.encoder}, for {len(shared.cells)} cells")
    if len(plan.caches) > MOST_CACHES:
        say(f"  and {len(plan.caches) - MOST_CACHES} more sets of features")
    _say_time(say, plan, workers=workers)


def _say_time(say: Any, plan: "Plan", *, workers: int | None) -> None:
    seconds = plan.seconds_left()
    if not plan.board.named("pending"):
        return
    if seconds is None:
        say("time: not known before a cell has finished; `--probe` times a few steps of each kind")
        return
    known = sum(kind in plan.seconds for kind in plan.kinds())
    divided = f", {duration(seconds / workers)} on {workers}" if workers and workers > 1 else ""
    say(f"time: about {duration(seconds)} on one worker{divided} ({known} of {len(plan.kinds())} kinds timed)")
