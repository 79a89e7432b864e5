"""`vietmer evaluate`: the scores of a run on a split."""

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vietmer_core.cli.options import AsJson, CacheOption, Device, RunPath, Uncalibrated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

    from vietmer_core.inference.evaluating import Evaluation
    from vietmer_core.inference.trained_run import TrainedRun


def evaluate(
    run: RunPath,
    split: Annotated[
        str | None, typer.Option(help="`test`, `valid` or `train`; test where the spec names one, else valid.")
    ] = None,
    device: Device = None,
    cache: CacheOption = None,
    uncalibrated: Uncalibrated = False,
    no_audit: Annotated[bool, typer.Option("--no-audit", help="Leave out the search for leaks.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score a run's best weights: headline scores with their intervals, by class and by subgroup, calibration."""
    from rich.console import Console

    from vietmer_core.cli.progress import CacheDisplay, utterance_bar
    from vietmer_core.cli.scores_view import show_evaluation
    from vietmer_core.inference.evaluating import NOT_AUDITED, evaluate_run
    from vietmer_core.inference.trained_run import TrainedRun
    from vietmer_core.training.run_folder import RunFolder
    from vietmer_core.training.run_spec import chosen_split

    chosen = chosen_split(RunFolder.open(run), split)
    trained = TrainedRun.load(run, device=device, uncalibrated=uncalibrated)
    console = Console(stderr=True)
    audit = NOT_AUDITED if no_audit else _audit(console, trained)
    with utterance_bar(console, f"{chosen} split") as bar, closing(CacheDisplay(console)) as display:
        evaluation = evaluate_run(
            trained, chosen, on_batch=bar.advance, report=display.fill_cache, cache=cache, audit=audit
        )
    folder = trained.folder.evaluation_path(chosen)
    _draw(evaluation, folder, title=f"{trained.spec.name}: {chosen}")
    if as_json:
        typer.echo(json.dumps(json.loads((folder / "scores.json").read_text(encoding="utf-8")), ensure_ascii=False))
        return
    console = Console()
    show_evaluation(console, evaluation)
    console.print(f"files: {folder} and {trained.folder.predictions_path(chosen)}", soft_wrap=True, markup=False)


def _audit(console: "Console", trained: "TrainedRun") -> "Mapping[str, Any]":
    from vietmer_core.cli.progress import utterance_bar
    from vietmer_core.inference.evaluating import audit_of_run

    with utterance_bar(console, "search for leaks") as bar:
        return audit_of_run(trained, progress=lambda *_: bar.advance(1))


def _draw(evaluation: "Evaluation", folder: "Path", *, title: str) -> None:
    from vietmer_core.evaluation.pictures import (
        confusion_figure,
        reliability_figure,
        risk_coverage_figure,
        save_figure,
    )

    scored = evaluation.scored
    save_figure(confusion_figure(scored.scores, title=title), folder / "confusion.png")
    figure = reliability_figure(scored.calibration, title=title, temperature=scored.temperature)
    save_figure(figure, folder / "reliability.png")
    save_figure(risk_coverage_figure(scored.curve, title=title, abstain=scored.abstain), folder / "risk_coverage.png")
