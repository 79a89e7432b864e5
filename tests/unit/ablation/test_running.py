"""Each cell once, whoever else runs it: with executors that run nothing but write what comes out."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, final

import pytest

from vietmer_core.ablation.auditing import audited
from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.executor import Executor, Job, JobEnd
from vietmer_core.ablation.job_folder import JobFolder, write_json
from vietmer_core.ablation.matrix_folder import MatrixFolder
from vietmer_core.ablation.results import read_matrix
from vietmer_core.ablation.running import Board, MatrixRunner, Summary, retry_failed
from vietmer_core.cache.locks import HeldLock
from vietmer_core.errors import RunError

Call = Callable[..., Any]


@final
class Pretend:
    """Finishes every job, but for what is said of it by its title."""

    def __init__(self, ways: dict[str, str] | None = None) -> None:
        self.ways = ways or {}
        self.begun: list[str] = []

    def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
        for job in jobs:
            if stops():
                return
            self.begun.append(job.title)
            way, folder = self.ways.get(job.title, "finishes"), JobFolder(job.folder)
            lock = folder.claim()
            if lock is None:
                yield JobEnd(name=job.name)
                continue
            if way == "finishes":
                folder.write_outcome({"id": job.name, "status": "finished", "seconds": {"total": 2.0}, "attempts": 1})
            elif way == "fails":
                folder.write_outcome(
                    {"id": job.name, "status": "failed", "reason": "It went wrong.", "error": "RunError"}
                )
            lock.release()
            yield JobEnd(name=job.name, failure="its process was killed." if way == "dies" else "")


@pytest.fixture
def cells(write_matrix: Call, cells_of: Call) -> tuple[Cell, ...]:
    found: tuple[Cell, ...] = cells_of(write_matrix(replicates={}))
    return found


@pytest.fixture
def board(cells: tuple[Cell, ...], workplace: Path) -> Board:
    folder = MatrixFolder(workplace / "ablations" / "tiny")
    for cell in cells:
        folder.write_cell(cell, audit={})
    return Board(cells, folder)


def run(board: Board, executor: Executor, *, stops: Callable[[], bool] = lambda: False) -> tuple[Summary, list[str]]:
    lines: list[str] = []
    summary = MatrixRunner(board, executor=executor, stops=stops, say=lines.append).run()
    return summary, lines


def anew(board: Board) -> Board:
    """As another command sees the cells."""
    return Board(list(board.cells.values()), board.folder)


def test_every_cell_is_run_and_none_again(board: Board) -> None:
    first, again = Pretend(), Pretend()
    summary, _ = run(board, first)
    assert (summary.finished, summary.failed, summary.left, summary.ran) == (4, 0, 0, 4)
    assert len(first.begun) == 4
    summary, _ = run(anew(board), again)
    assert (summary.finished, summary.ran) == (4, 0)
    assert again.begun == []


def test_a_failed_cell_is_told_with_its_reason_and_log_and_run_again_only_on_request(board: Board) -> None:
    summary, lines = run(board, Pretend({"pooler=mean, loss=focal": "fails"}))
    assert (summary.finished, summary.failed) == (3, 1)
    (line,) = lines
    assert line.startswith("failed: pooler=mean, loss=focal: It went wrong. Its log: ")
    other = anew(board)
    assert run(other, Pretend())[0].ran == 0
    retry_failed(other)
    again = Pretend()
    assert run(other, again)[0].finished == 4
    assert again.begun == ["pooler=mean, loss=focal"]
    (kept,) = (board.folder.path / "cells").glob("*/outcome-1.json")
    assert "It went wrong." in kept.read_text(encoding="utf-8")


def test_a_cell_whose_worker_dies_fails_with_the_reason_and_the_others_go_on(board: Board) -> None:
    summary, lines = run(board, Pretend({"pooler=mean, loss=plain": "dies"}))
    assert (summary.finished, summary.failed) == (3, 1)
    assert "its process was killed." in lines[0]


def test_a_lost_cell_goes_on_from_its_run_and_a_failed_one_begins_anew(board: Board) -> None:
    run(board, Pretend({"pooler=mean, loss=plain": "dies", "pooler=max, loss=plain": "fails"}))
    for cell in board.named("failed"):
        board.folder.cell(cell).run_path.mkdir()
    lost, failed = board.named("failed")
    retry_failed(board)
    assert board.folder.cell(lost).run_path.exists()
    assert not board.folder.cell(failed).run_path.exists()


def test_only_the_failure_that_was_seen_is_set_aside(board: Board) -> None:
    run(board, Pretend({"pooler=mean, loss=plain": "fails"}))
    (cell,) = board.named("failed")
    folder = board.folder.cell(cell)
    folder.write_outcome({"id": cell.name, "status": "failed", "reason": "Another.", "error": "RunError"})
    retry_failed(board)  # another command has run it meanwhile
    assert folder.outcome() is not None
    assert board.outcomes[cell.name]["reason"] == "Another."


def test_a_cell_that_another_command_runs_is_waited_for_and_not_run(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = next(iter(board.cells.values()))
    folder = board.folder.cell(cell)
    held: list[HeldLock | None] = [folder.claim()]

    def the_other_ends(seconds: float) -> None:
        del seconds
        folder.write_outcome({"id": cell.name, "status": "finished", "seconds": {"total": 1.0}, "attempts": 1})
        lock = held.pop()
        assert lock is not None
        lock.release()

    monkeypatch.setattr("vietmer_core.ablation.running.time.sleep", the_other_ends)
    summary, _ = run(board, Pretend())
    assert (summary.finished, summary.ran) == (4, 3)


def test_a_cell_is_taken_over_where_the_other_command_dies(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = next(iter(board.cells.values()))
    held: list[HeldLock | None] = [board.folder.cell(cell).claim()]

    def the_other_dies(seconds: float) -> None:
        del seconds
        lock = held.pop()
        assert lock is not None
        lock.release()

    monkeypatch.setattr("vietmer_core.ablation.running.time.sleep", the_other_dies)
    pretend = Pretend()
    summary, _ = run(board, pretend)
    assert (summary.finished, summary.ran) == (4, 4)
    assert pretend.begun.count(cell.title) == 2  # once while the other had it


def test_a_cell_that_never_ends_is_not_tried_for_ever(board: Board) -> None:
    with pytest.raises(RunError, match="begun again and again"):
        run(board, Pretend({"pooler=mean, loss=plain": "vanishes"}))


def test_stopping_leaves_the_rest_for_the_next_time(board: Board) -> None:
    pretend = Pretend()
    summary, _ = run(board, pretend, stops=lambda: len(pretend.begun) == 2)
    assert (summary.finished, summary.left, summary.is_stopped) == (2, 2, True)
    assert run(anew(board), Pretend())[0].ran == 2


def test_a_death_under_a_stop_is_no_failure(board: Board) -> None:
    pretend = Pretend(dict.fromkeys((cell.title for cell in board.cells.values()), "dies"))
    summary, _ = run(board, pretend, stops=lambda: bool(pretend.begun))
    assert (summary.failed, summary.left) == (0, 4)


def test_a_damaged_outcome_is_a_sentence(board: Board) -> None:
    folder = board.folder.cell(next(iter(board.cells.values())))
    (folder.path / "outcome.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match=r"outcome.json: cannot be read: .* Remove the file"):
        anew(board)


def test_splits_are_audited_once_for_all_that_read_them_alike(
    board: Board, write_matrix: Call, cells_of: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Label maps leave rows out, so that other recordings are compared."""
    asked: list[str] = []

    def verdict(cell: Cell, _: Board) -> dict[str, Any]:
        asked.append(cell.levels["map"])
        return {"verdict": "clean", "leaks": [], "cues": []}

    monkeypatch.setattr("vietmer_core.ablation.auditing._verdict", verdict)
    maps = {"none": {}, "fewer": {"data": {"valid": {"path": "valid.jsonl", "label_map": {"sad": "angry"}}}}}
    cells = cells_of(write_matrix(axes={"map": {"levels": maps}}))
    assert len(list(audited(cells, board, is_wanted=True, say=lambda _: None))) == 4
    assert asked == ["none", "fewer"]


def test_a_file_is_no_folder_of_a_matrix(workplace: Path) -> None:
    with pytest.raises(RunError, match=r"base\.yaml: holds no matrix"):
        read_matrix(workplace / "base.yaml")


def test_what_is_stored_is_read_back(
    board: Board, workplace: Path, write_matrix: Call, cells: tuple[Cell, ...]
) -> None:
    from vietmer_core.ablation.matrix import load_matrix
    from vietmer_core.catalogue import installed_catalogue

    matrix = load_matrix(write_matrix(replicates={}), catalogue=installed_catalogue())
    board.folder.write_matrix(matrix, cells)
    run(board, Pretend({"pooler=max, loss=focal": "fails"}))
    found = read_matrix(board.folder.path)
    assert (found.name, found.split, found.replicates) == ("tiny", "test", {})
    assert found.axes == {"pooler": ("mean", "max"), "loss": ("plain", "focal")}
    assert found.reference == {"pooler": "mean", "loss": "plain"}
    assert [cell.status for cell in found.cells] == ["finished"] * 3 + ["failed"]
    assert found.cells[3].reason == "It went wrong."
    assert found.cells[0].document()["levels"] == found.cells[0].levels
    with pytest.raises(RunError, match="has not finished"):
        found.cells[3].scores()
    with pytest.raises(RunError, match="holds no matrix"):
        read_matrix(workplace)
    write_json(board.folder.path / "matrix.json", {"name": "tiny"})
    with pytest.raises(RunError, match="is damaged"):
        read_matrix(board.folder.path)
