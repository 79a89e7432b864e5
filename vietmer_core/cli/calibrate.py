"""`vietmer calibrate`: probabilities that can be believed, and when to abstain, both from the validation split."""

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.cli.options import AsJson, CacheOption, Device, RunPath

if TYPE_CHECKING:
    from vietmer_core.inference.calibrating import Calibrated

FEW_UTTERANCES: Final = 100
EXIT_CODES: Final = (
    "Exit codes: 0 done; 2 the command line cannot be used; 3 the validation split cannot be read; 5 the run cannot be "
    "used or its folder written; 130 interrupted."
)


def calibrate(
    run: RunPath,
    max_risk: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Abstain so often that at most this share of the answers is wrong."),
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(min=0, max=1, help="Answer this share of the utterances, the surest ones.")
    ] = None,
    device: Device = None,
    cache: CacheOption = None,
    as_json: AsJson = False,
) -> None:
    """Fit the temperature of a run on its validation split; `predict` and `evaluate` use it from then on."""
    from rich.console import Console

    from vietmer_core.cli.progress import CacheDisplay, utterance_bar
    from vietmer_core.evaluation.pictures import reliability_figure, save_figure
    from vietmer_core.inference.calibrating import calibrate_run
    from vietmer_core.inference.trained_run import TrainedRun

    if max_risk is not None and coverage is not None:
        raise typer.BadParameter("give `--max-risk` or `--coverage`, not both: each chooses the threshold.")
    for option, value in (("--max-risk", max_risk), ("--coverage", coverage)):
        if value is not None and not 0 <= value <= 1:  # typer lets NaN pass
            raise typer.BadParameter(f"must be a number from 0 to 1, but is {value}.", param_hint=option)
    trained = TrainedRun.load(run, device=device, uncalibrated=True)
    console = Console(stderr=True)
    with utterance_bar(console, "valid split") as bar, closing(CacheDisplay(console)) as display:
        found = calibrate_run(
            trained,
            max_risk=max_risk,
            coverage=coverage,
            on_batch=bar.advance,
            report=display.fill_cache,
            cache=cache,
        )
    temperature = found.calibration.temperature
    for scores, name, used in ((found.before, "uncalibrated", None), (found.after, "calibrated", temperature)):
        figure = reliability_figure(scores, title=f"{trained.spec.name}: valid", temperature=used)
        save_figure(figure, trained.folder.evaluation_path("valid") / f"reliability_{name}.png")
    if as_json:
        typer.echo(json.dumps(found.calibration.model_dump(mode="json")))
    else:
        _show(found)
        typer.echo(f"file: {trained.folder.path / 'calibration.json'}")


def _show(found: "Calibrated") -> None:
    calibration = found.calibration
    count = calibration.num_utterances
    typer.echo(f"temperature {calibration.temperature:.3f}, from {count} utterances of the valid split")
    for name, scores in (("before", calibration.before), ("after", calibration.after)):
        typer.echo(f"  {name:<7} loss {scores.nll:.3f}  ECE {scores.ece:.3f}  Brier {scores.brier:.3f}")
    if count < FEW_UTTERANCES:
        typer.echo(f"  {count} utterances are few for it; take it as a rough figure.")
    if rule := calibration.abstain:
        typer.echo(
            f"the model abstains below a confidence of {rule.threshold:.3f}: on the valid split it answers "
            f"{rule.coverage:.1%} ({rule.num_kept} utterances), and {rule.risk:.1%} of the answers are wrong there."
        )
        typer.echo("`vietmer evaluate` says what the threshold does on the test split; expect a little worse.")
