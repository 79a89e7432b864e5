"""What TensorBoard reads of a run: each step and epoch once, also where a run was killed and continues."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from tensorboard.backend.event_processing.event_accumulator import STORE_EVERYTHING_SIZE_GUIDANCE, EventAccumulator
from vietmer_tracker_tensorboard.events import EventFile
from vietmer_tracker_tensorboard.plugin import TensorBoardParams, build
from vietmer_tracker_tensorboard.tracker import FOLDER, WRITTEN_FILE, TensorBoardTracker

from vietmer_core.errors import RunError
from vietmer_core.testing import conformance_tests
from vietmer_core.testing.run_records import (
    epoch_record,
    expected_scalars,
    finish_record,
    killed_at,
    run_record,
    take_steps,
)

test_conformance = conformance_tests("tracker", "tensorboard")


def tracker(flush_seconds: float = 3600) -> TensorBoardTracker:
    found = build(TensorBoardParams(flush_seconds=flush_seconds))
    assert isinstance(found, TensorBoardTracker)
    return found


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder / FOLDER), size_guidance=STORE_EVERYTHING_SIZE_GUIDANCE)
    found.Reload()
    return found


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = read(folder)
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def expected(num_steps: int) -> dict[str, list[tuple[int, float]]]:
    """In float32, as TensorBoard keeps them."""
    return {
        name: [(step, float(np.float32(value))) for step, value in values]
        for name, values in expected_scalars(num_steps).items()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_every_step_and_epoch_is_there_once(folder: Path) -> None:
    found = tracker()
    found.start_run(run_record(folder))
    take_steps(found, folder, range(1, 8))
    found.finish_run(finish_record(7))
    assert scalars(folder) == expected(7)
    assert expected(7)["step/utterances_per_second"][0] == (1, 16.0)
    assert expected(7)["step/memory_mib"][0] == (1, 2.0)


@pytest.mark.parametrize("flush_seconds", [3600, 1e-9], ids=["nothing flushed since the epoch", "all flushed"])
@pytest.mark.parametrize(("killed_after", "continued_from"), [(8, 5), (8, 8), (2, 1), (8, 7), (2, 0)])
def test_a_run_that_was_killed_continues_without_a_gap_or_a_step_twice(
    folder: Path, killed_after: int, continued_from: int, flush_seconds: float
) -> None:
    first = tracker(flush_seconds)
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, killed_after + 1))
    left = killed_at(folder, step=continued_from)
    first.finish_run(finish_record(killed_after))
    again = tracker()
    again.start_run(run_record(left, first_step=continued_from))
    take_steps(again, left, range(continued_from + 1, 11))
    again.finish_run(finish_record(10))
    assert scalars(left) == expected(10)


def test_an_epoch_whose_end_is_told_again_is_there_once(folder: Path) -> None:
    """Killed between the score of an epoch and its checkpoint, a run continues from the epoch's last step."""
    first = tracker(1e-9)
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, 4))
    first.finish_run(finish_record(3))
    again = tracker()
    again.start_run(run_record(folder, first_step=3, first_epoch=0))
    again.end_epoch(epoch_record(0))
    again.finish_run(finish_record(3))
    assert scalars(folder) == expected(3)


def test_files_that_were_deleted_are_written_again(folder: Path) -> None:
    first = tracker()
    first.start_run(run_record(folder))
    take_steps(first, folder, range(1, 5))
    first.finish_run(finish_record(4))
    for file in (folder / FOLDER).iterdir():
        file.unlink()
    again = tracker()
    again.start_run(run_record(folder, first_step=4))
    again.finish_run(finish_record(4))
    assert scalars(folder) == expected(4)


def test_a_writer_that_purges_nothing_would_leave_steps_twice(folder: Path) -> None:
    """The comparison of these tests sees it."""
    for first in (1, 3):
        events = EventFile(folder / FOLDER, purge_step=None)
        for step in range(first, 5):
            events.add_scalars({"step/loss": 1.0}, step=step)
        events.close()
    assert [step for step, _ in scalars(folder)["step/loss"]] == [1, 2, 3, 4, 3, 4]


def test_what_is_flushed_is_read_while_the_run_is_under_way(folder: Path) -> None:
    found = tracker(1e-9)
    found.start_run(run_record(folder))
    take_steps(found, folder, range(1, 3))
    assert scalars(folder) == expected(2)
    assert json.loads((folder / FOLDER / WRITTEN_FILE).read_text(encoding="utf-8")) == {"step": 2}
    found.finish_run(finish_record(2))


def test_the_spec_is_there_as_text_and_as_hyperparameters(folder: Path) -> None:
    found = tracker()
    found.start_run(run_record(folder))
    found.finish_run(finish_record(0))
    accumulator = read(folder)
    (event,) = accumulator.Tensors("spec/text_summary")
    assert "labels:\n    - vui\n    - buồn" in event.tensor_proto.string_val[0].decode()
    assert b"training.epochs" in accumulator.SummaryMetadata("_hparams_/session_start_info").plugin_data.content


def test_a_disk_that_refuses_is_one_sentence(folder: Path) -> None:
    (folder / FOLDER).write_text("in the way", encoding="utf-8")
    with pytest.raises(RunError, match=r"tensorboard: TensorBoard's events cannot be written: File exists\."):
        tracker().start_run(run_record(folder))


def test_a_full_disk_in_the_middle_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tracker(1e-9)
    found.start_run(run_record(folder))

    def refuse(_file: EventFile) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(EventFile, "flush", refuse)
        with pytest.raises(RunError, match="cannot be written: No space left on device"):
            take_steps(found, folder, [1])
    found.finish_run(finish_record(1))


def test_a_run_that_failed_before_it_began_has_nothing_to_close(folder: Path) -> None:
    tracker().finish_run(finish_record(0))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"flush_seconds": 0}, {"folder": "elsewhere"}])
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        TensorBoardParams.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
