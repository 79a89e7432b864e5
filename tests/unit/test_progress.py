"""The bars: what they show in a terminal, and their silence elsewhere."""

import io
from pathlib import Path

from rich.console import Console

from vietmer_core.cli.progress import TrainingDisplay, utterance_bar
from vietmer_core.records import EpochRecord, FinishRecord, RunRecord, StepRecord


def shown(*, terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=120)
    display = TrainingDisplay(console)
    run = RunRecord(
        folder=Path("runs/x"),
        name="hotline",
        num_epochs=2,
        num_steps=4,
        steps_per_epoch=2,
        first_epoch=0,
        first_step=0,
        monitor="macro_f1",
        num_parameters=10,
        num_trainable_parameters=10,
    )
    display.start_run(run)
    step = StepRecord(
        epoch=0,
        step=1,
        step_in_epoch=1,
        loss=0.625,
        gradient_norm=1.0,
        learning_rate=0.1,
        num_utterances=4,
        padding_efficiency=0.9,
        seconds=0.1,
    )
    display.end_step(step)
    scores = {"macro_f1": 0.4321}
    display.end_epoch(EpochRecord(epoch=0, step=2, train_loss=0.5, valid_metrics=scores, is_best=True, seconds=1.0))
    finish = FinishRecord(outcome="finished", epoch=1, step=2, best_epoch=0, best_value=0.4321, seconds=1.0)
    display.finish_run(finish)
    with utterance_bar(console, "test split") as bar:
        bar.advance(3)
    return output.getvalue()


def test_a_terminal_sees_the_loss_and_the_validation_score() -> None:
    text = shown(terminal=True)
    for part in ("hotline", "loss 0.625", "epoch 1 valid macro_f1 0.432 (best)", "test split"):
        assert part in text


def test_anything_else_sees_nothing() -> None:
    assert shown(terminal=False).strip() == ""
