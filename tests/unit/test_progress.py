"""What a terminal sees of a run, at any width, and the silence elsewhere."""

import io
import time
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live

from vietmer_core.cli import progress
from vietmer_core.cli.progress import TrainingDisplay, utterance_bar
from vietmer_core.cli.training_view import BLOCKS, FREE, TrainingView, curve, duration, packed, size
from vietmer_core.records import CacheRecord
from vietmer_core.testing.run_records import (
    epoch_record,
    finish_record,
    records,
    run_record,
    step_record,
    take_steps,
    tell,
)

FOLDER = Path("runs/none")


def shown(*, terminal: bool, width: int = 100, folder: Path = FOLDER) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=width)
    display = TrainingDisplay(console)
    display.start_run(run_record(folder))
    for record in records(range(1, 8)):
        tell(display, record)
    display.finish_run(finish_record(7))
    console.print("after the run")
    with utterance_bar(console, "test split") as bar:
        bar.advance(3)
    return output.getvalue()


def test_a_terminal_sees_the_run() -> None:
    text = shown(terminal=True)
    for part in (
        "made-up, epoch 3 of 4",
        "step 7 of 12",
        "0:00 left",
        "loss 0.370",  # the mean of 1, 1/2, … 1/7
        "learning rate 0.001",
        "16.0 utterances/s",
        "padding efficiency 75%",
        "memory 2.0 MiB",
        "valid macro_f1  ▁█  0.200",
        "^ best 0.200, epoch 2",
        "test split",
    ):
        assert part in text, part


def test_anything_else_sees_nothing() -> None:
    assert shown(terminal=False).strip() == "after the run"


def view(*, steps: int = 0) -> TrainingView:
    found = TrainingView(run_record(FOLDER))
    for record in records(range(1, steps + 1)):
        tell(found, record)
    return found


def test_before_the_first_step_there_is_no_number_yet() -> None:
    assert view().lines(80) == ["step 0 of 12", "valid macro_f1 –"]


@pytest.mark.parametrize("steps", [0, 2, 7, 12])
@pytest.mark.parametrize("width", range(1, 60))
def test_no_line_is_wider_than_the_terminal(steps: int, width: int) -> None:
    assert [line for line in view(steps=steps).lines(width) if cell_len(line) > width] == []
    output = io.StringIO()
    Console(file=output, width=width).print(view(steps=steps))
    assert [line for line in output.getvalue().splitlines() if cell_len(line) > max(1, width - FREE)] == []


def test_a_long_name_is_cut() -> None:
    output = io.StringIO()
    Console(file=output, width=50).print(TrainingView(run_record(FOLDER, name="x" * 200)))
    assert {cell_len(line) for line in output.getvalue().splitlines()} == {48}


def test_the_best_epoch_is_named_on_the_left_where_the_right_has_no_room() -> None:
    found = TrainingView(run_record(FOLDER))
    for epoch in range(30):
        found.end_epoch(attrs.evolve(epoch_record(epoch), valid_metrics={"macro_f1": epoch / 100}, is_best=epoch < 29))
    above, below = found.lines(60)[1:]
    assert above.endswith("▇▇███  0.290")
    assert below.endswith("best 0.280, epoch 29 ^")
    assert above[len(below) - 1] in BLOCKS  # the mark stands below the curve


def test_a_run_that_continues_shows_the_epochs_before(tmp_path: Path) -> None:
    take_steps(object(), tmp_path, range(1, 8))
    output = io.StringIO()
    display = TrainingDisplay(Console(file=output, force_terminal=True, width=100))
    display.start_run(run_record(tmp_path, first_step=7))
    display.end_epoch(epoch_record(2))
    display.close()
    assert "step 7 of 12" in output.getvalue()
    assert "valid macro_f1  ▁▅█  0.300" in output.getvalue()


def test_the_panel_is_left_as_it_is_last_and_what_follows_stands_below(tmp_path: Path) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80)
    display = TrainingDisplay(console)
    display.start_run(run_record(tmp_path))
    display.end_step(step_record(1))
    display.end_step(step_record(2))
    display.close()
    display.close()
    console.print("error: the disk is full.")
    _, left = output.getvalue().rsplit("made-up", 1)
    assert "step 2 of 12" in left
    assert left.index("╰") < left.index("error: the disk is full.")
    display.end_step(step_record(3))  # a hook that is called late draws nothing
    assert output.getvalue().rsplit("made-up", 1)[1] == left


def test_an_end_without_a_beginning_shows_nothing() -> None:
    output = io.StringIO()
    display = TrainingDisplay(Console(file=output, force_terminal=True))
    display.finish_run(finish_record(0))
    assert output.getvalue() == ""


def test_the_cache_is_filled_before(tmp_path: Path) -> None:
    output = io.StringIO()
    display = TrainingDisplay(Console(file=output, force_terminal=True, width=100))
    for done in (0, 3):
        display.fill_cache(
            CacheRecord(
                encoder="audio: whisper",
                split="train",
                folder=tmp_path,
                num_utterances=8,
                num_kept=2,
                num_damaged=0,
                num_done=done,
                num_bytes=2**21,
            )
        )
    display.start_run(run_record(tmp_path))
    display.end_step(step_record(1))
    display.close()
    assert "encoding train" in output.getvalue()
    assert output.getvalue().index("encoding train") < output.getvalue().index("made-up, epoch 1 of 4")


@pytest.mark.parametrize(("between", "expected"), [(progress.SECONDS_BETWEEN_DRAWINGS, 40), (0.0, 1000)])
def test_it_is_drawn_four_times_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, between: float, expected: int
) -> None:
    drawn: list[int] = []
    now = [100.0]
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_DRAWINGS", between)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Live, "refresh", lambda _: drawn.append(1))
    display = TrainingDisplay(Console(file=io.StringIO(), force_terminal=True))
    display.start_run(run_record(tmp_path))
    drawn.clear()
    for _ in range(1000):
        now[0] += 0.01
        display.end_step(step_record(1))
    assert len(drawn) == pytest.approx(expected, abs=2)
    display.close()


@given(values=st.lists(st.floats(0, 1) | st.just(float("nan")), min_size=1, max_size=200), width=st.integers(1, 60))
def test_a_curve_fits_its_width_and_marks_its_best(values: list[float], width: int) -> None:
    best = max(range(len(values)), key=lambda index: -1 if values[index] != values[index] else values[index])
    blocks, column = curve(values, best=best, width=width)
    assert len(blocks) == min(len(blocks), width)
    assert set(blocks) <= set(BLOCKS)
    assert column is not None
    assert 0 <= column < len(blocks)
    if len(values) <= width:
        assert (len(blocks), column) == (len(values), best)


def test_a_curve_rises_with_its_values() -> None:
    assert curve([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], best=None, width=8) == (BLOCKS, None)
    assert curve([0.5, 0.5], best=0, width=8) == ("▁▁", 0)
    assert curve([0.0, 1.0, 1.0, 0.0], best=1, width=2) == ("▁▁", 0)
    assert curve([], best=None, width=3) == ("", None)
    assert curve([float("nan"), 0.0, 1.0], best=2, width=3) == ("▁▁█", 2)


def test_parts_stand_in_lines_in_their_order() -> None:
    assert list(packed(["aa", "bb", "cc"], width=7)) == ["aa   bb", "cc"]
    assert list(packed(["a long part", "b"], width=6)) == ["a long", "b"]
    assert list(packed([], width=6)) == []


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (245, "4:05"), (3723, "1:02:03")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes() -> None:
    assert size(312 * 2**20) == "312.0 MiB"
    assert size(1_500_000_000) == "1.4 GiB"
