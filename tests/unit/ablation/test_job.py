"""Doing a job: once, to the same bits in any order, after a kill from where it was; and how it fails."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vietmer_core.ablation import code_version
from vietmer_core.ablation import job as job_module
from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.job import EXIT_BUSY, do_job, main
from vietmer_core.ablation.job_folder import JobFolder
from vietmer_core.ablation.matrix_folder import MatrixFolder
from vietmer_core.ablation.results import StoredCell
from vietmer_core.hooks import hookimpl
from vietmer_core.plugins import installed_plugins
from vietmer_core.records import StepRecord
from vietmer_core.training.run_folder import RunFolder

Call = Callable[..., Any]
AUDIT = {"verdict": "clean", "leaks": [], "cues": []}


@pytest.fixture
def write_cells(write_matrix: Call, cells_of: Call) -> Callable[[Path], list[JobFolder]]:
    """The folders of the cells of a matrix, ready to be run, below a folder."""

    def write(root: Path, **changes: Any) -> list[JobFolder]:
        cells: tuple[Cell, ...] = cells_of(write_matrix(**{"replicates": {}, **changes}))
        folder = MatrixFolder(root)
        for cell in cells:
            folder.write_cell(cell, audit=AUDIT)
        return [folder.cell(cell) for cell in cells]

    return write


def results(folder: JobFolder) -> tuple[object, object, bytes]:
    """What must be equal wherever and whenever a cell is run."""
    run, outcome = RunFolder(folder.run_path), folder.outcome() or {}
    return run.results(), outcome["scores"], run.predictions_path("test").read_bytes()


class KillAfter:
    """An observer that ends a run in the middle of it."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self._step = step
        self._act = act

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        if step.step == self._step:
            self._act()


def test_a_cell_leaves_all_that_a_table_needs(workplace: Path, write_cells: Call) -> None:
    first, *_ = write_cells(workplace / "one")
    assert do_job(first.path) == "finished"
    outcome = first.outcome() or {}
    assert outcome["status"] == "finished"
    assert set(outcome["scores"]) >= {"macro_f1", "accuracy", "balanced_accuracy", "weighted_f1", "loss"}
    assert (outcome["split"], outcome["num_utterances"], outcome["audit"], outcome["attempts"]) == (
        "test",
        4,
        "clean",
        1,
    )
    stored = StoredCell(id=outcome["id"], folder=first, levels=first.document()["levels"], outcome=outcome)
    assert stored.scores()["macro_f1"] == outcome["scores"]["macro_f1"]
    assert stored.scores()["audit"] == AUDIT
    assert len(stored.predictions_path.read_text(encoding="utf-8").splitlines()) == 4
    assert stored.scores()["data"] == first.document()["data"]["test"]
    assert do_job(first.path) == "finished"
    assert first.outcome() == outcome  # not run again
    assert len((first.path / "attempts.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_cells_have_the_same_bits_in_any_order(workplace: Path, write_cells: Call) -> None:
    forward, backward = write_cells(workplace / "one"), write_cells(workplace / "two")
    for folder in [*forward, *reversed(backward)]:
        assert do_job(folder.path) == "finished"
    for one, two in zip(forward, backward, strict=True):
        assert results(one) == results(two)
    assert results(forward[0])[2] != results(forward[1])[2]  # the comparison would see another cell


@pytest.mark.parametrize("step", [1, 3])  # before the first checkpoint, and after it
def test_a_cell_that_was_killed_goes_on_to_the_same_bits(workplace: Path, write_cells: Call, step: int) -> None:
    (whole, *_), (killed, *_) = write_cells(workplace / "one"), write_cells(workplace / "two")
    assert do_job(whole.path) == "finished"
    child = os.fork()
    if child == 0:  # as a kill leaves it: nothing is closed, nothing is told
        installed_plugins().manager.register(KillAfter(step, lambda: os.kill(os.getpid(), signal.SIGKILL)))
        do_job(killed.path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert killed.outcome() is None
    assert json.loads((killed.run_path / "status.json").read_text(encoding="utf-8"))["outcome"] == "running"
    assert do_job(killed.path) == "finished"
    assert (killed.outcome() or {})["attempts"] == 2
    assert results(killed) == results(whole)


def test_a_cell_that_is_told_to_stop_saves_itself_and_goes_on(workplace: Path, write_cells: Call) -> None:
    (whole, *_), (stopped, *_) = write_cells(workplace / "one"), write_cells(workplace / "two")
    assert do_job(whole.path) == "finished"
    observer = KillAfter(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    installed_plugins().manager.register(observer)
    try:
        assert do_job(stopped.path) == "interrupted"
    finally:
        installed_plugins().manager.unregister(observer)
    assert stopped.outcome() is None
    assert RunFolder(stopped.run_path).read_status()["outcome"] == "interrupted"
    assert do_job(stopped.path) == "finished"
    assert results(stopped) == results(whole)


def test_a_run_folder_that_is_not_whole_is_begun_anew(workplace: Path, write_cells: Call) -> None:
    first, *_ = write_cells(workplace / "one")
    first.run_path.mkdir()
    (first.run_path / "spec.yaml").write_text("labels: []\n", encoding="utf-8")
    assert do_job(first.path) == "finished"


def test_a_cell_that_is_trained_already_is_only_scored(workplace: Path, write_cells: Call) -> None:
    first, *_ = write_cells(workplace / "one")
    assert do_job(first.path) == "finished"
    (first.path / "outcome.json").unlink()
    before = (first.run_path / "checkpoints" / "last.pt").stat().st_mtime_ns
    assert do_job(first.path) == "finished"
    assert (first.run_path / "checkpoints" / "last.pt").stat().st_mtime_ns == before


def test_a_mistake_of_the_user_is_the_reason_without_a_traceback(workplace: Path, write_cells: Call) -> None:
    first, *_ = write_cells(workplace / "one", set={"training": {"learning_rate": 1e30, "gradient_clip": None}})
    assert do_job(first.path) == "failed"
    outcome = first.outcome() or {}
    assert outcome["error"] == "NonFiniteError"
    assert "finite" in outcome["reason"]
    log = first.log_path.read_text(encoding="utf-8")
    assert outcome["reason"] in log
    assert "Traceback" not in log


def test_a_defect_is_the_reason_with_a_traceback_in_the_log(
    workplace: Path, write_cells: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, Any]:
        print("about to divide")  # noqa: T201  # what is printed goes to the log
        return {"share": 1 / 0}

    monkeypatch.setattr(job_module, "_task", lambda _: broken)
    first, *_ = write_cells(workplace / "one")
    assert do_job(first.path) == "failed"
    assert (first.outcome() or {})["reason"] == "ZeroDivisionError: division by zero."
    log = first.log_path.read_text(encoding="utf-8")
    assert "about to divide" in log
    assert "Traceback" in log


def change(manifest: Path) -> str:
    """Put another word into a manifest; what it held before."""
    rows = manifest.read_text(encoding="utf-8")
    manifest.write_text(rows.replace("bực", "vui", 1), encoding="utf-8")
    return rows


def test_data_that_changed_since_the_plan_is_the_reason(workplace: Path, write_cells: Call) -> None:
    first, *_ = write_cells(workplace / "one")
    change(workplace / "train.jsonl")
    assert do_job(first.path) == "failed"
    outcome = first.outcome() or {}
    assert "the data of train has changed" in outcome["reason"]
    assert outcome["error"] == "OutdatedError"


def test_data_that_changed_before_it_is_scored_is_the_reason(workplace: Path, write_cells: Call) -> None:
    first, *_ = write_cells(workplace / "one")
    rows = change(workplace / "test.jsonl")
    assert do_job(first.path) == "failed"
    outcome = first.outcome() or {}
    assert "the data of test has changed since the command was started" in outcome["reason"]
    (workplace / "test.jsonl").write_text(rows, encoding="utf-8")
    before = (first.run_path / "checkpoints" / "last.pt").stat().st_mtime_ns
    assert first.retire(outcome)
    assert do_job(first.path) == "finished"
    assert (first.run_path / "checkpoints" / "last.pt").stat().st_mtime_ns == before  # nothing of it was wrong


def test_other_code_than_that_of_the_id_is_refused(
    workplace: Path, write_cells: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = write_cells(workplace / "one")
    own = code_version.code_version

    def edited(*given: Any) -> dict[str, Any]:
        found = own(*given)
        return {**found, "distributions": {**found["distributions"], "vietmer-fusion-text-only": "0.1.0 edited"}}

    monkeypatch.setattr("vietmer_core.ablation.tasks.code_version", edited)
    assert do_job(first.path) == "failed"
    assert (first.outcome() or {})["reason"].startswith(
        "the version or the sources of vietmer-fusion-text-only are others here"
    )
    assert not first.run_path.exists()


@pytest.mark.parametrize("is_cut_off", [True, False])
def test_a_matrix_that_is_moved_with_its_data_loses_no_cell(
    workplace: Path, write_cells: Call, cells_of: Call, is_cut_off: bool
) -> None:
    """What was cut off begins anew; what was trained is only scored."""
    (whole, *_), (moved, *_) = write_cells(workplace / "one"), write_cells(workplace / "two")
    assert do_job(whole.path) == "finished"
    observer = KillAfter(1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    if is_cut_off:
        installed_plugins().manager.register(observer)
    try:
        assert do_job(moved.path) == ("interrupted" if is_cut_off else "finished")
    finally:
        if is_cut_off:
            installed_plugins().manager.unregister(observer)
    if not is_cut_off:
        (moved.path / "outcome.json").unlink()
    weights = moved.run_path / "checkpoints" / "last.pt"
    before = weights.stat().st_mtime_ns
    (workplace / "elsewhere").mkdir()
    for name in ("matrix.yaml", "base.yaml", "train.jsonl", "valid.jsonl", "test.jsonl"):
        (workplace / name).rename(workplace / "elsewhere" / name)
    cell, *_ = cells_of(workplace / "elsewhere" / "matrix.yaml")
    assert cell.name == moved.path.name
    MatrixFolder(workplace / "two").write_cell(cell, audit=AUDIT)
    assert do_job(moved.path) == "finished", moved.outcome()
    assert results(moved) == results(whole)
    assert (weights.stat().st_mtime_ns == before) is not is_cut_off


def test_a_cell_that_another_process_has_is_busy(workplace: Path, write_cells: Call, monkeypatch: Any) -> None:
    first, *_ = write_cells(workplace / "one")
    lock = first.claim()
    assert lock is not None
    assert do_job(first.path) == "busy"
    monkeypatch.setattr("sys.argv", ["job", str(first.path)])
    assert main() == EXIT_BUSY
    assert first.holder().startswith(f"process {os.getpid()} on ")
    lock.release()
    assert first.outcome() is None


def test_a_job_can_be_done_beside_the_main_thread(workplace: Path, write_cells: Call) -> None:
    first, *_ = write_cells(workplace / "one")
    statuses: list[str] = []
    thread = threading.Thread(target=lambda: statuses.append(do_job(first.path)))
    thread.start()
    thread.join()
    assert statuses == ["finished"]


def test_a_folder_without_a_job_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["job", str(tmp_path)])
    assert main() == 5
    assert "holds no job" in capsys.readouterr().err
