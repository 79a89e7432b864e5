"""`vietmer predict`: the emotion of a recording, or of every row of a manifest."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vietmer_core.cli.options import AsJson, ChannelOption, Device, RunPath, Uncalibrated, read_channel
from vietmer_core.errors import EXIT_FOUND

if TYPE_CHECKING:
    from vietmer_core.inference.prediction import Prediction
    from vietmer_core.inference.trained_run import TrainedRun


def predict(
    run: RunPath,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A recording, or a manifest that ends in .jsonl.")
    ] = None,
    transcript: Annotated[str | None, typer.Option(help="What is said in the recording.")] = None,
    start: Annotated[float | None, typer.Option(help="Begin of the segment, s.")] = None,
    end: Annotated[float | None, typer.Option(help="End of the segment, s.")] = None,
    channel: ChannelOption = None,
    root: Annotated[Path | None, typer.Option(help="Folder that a manifest's `wav_path` is relative to.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File for the rows of a manifest.")] = None,
    device: Device = None,
    uncalibrated: Uncalibrated = False,
    as_json: AsJson = False,
) -> None:
    """Predict emotions; the model abstains where it has nothing that it reads, or is less sure than its threshold."""
    from vietmer_core.inference.prediction import checked_file, is_manifest, predict_utterance
    from vietmer_core.inference.trained_run import TrainedRun

    chosen: Any = read_channel(channel)
    if file is None and transcript is None:
        raise typer.BadParameter("give a recording, a manifest or `--transcript`.")
    if file is not None:
        checked_file(file)
    trained = TrainedRun.load(run, device=device, uncalibrated=uncalibrated)
    if file is not None and is_manifest(file):
        if transcript is not None or start is not None or end is not None:
            raise typer.BadParameter("`--transcript`, `--start` and `--end` belong to a recording, not to a manifest.")
        _predict_rows(trained, file, root=root, channel=chosen, output=output)
        return
    if root is not None or output is not None:
        raise typer.BadParameter("`--root` and `--output` belong to a manifest, not to a recording.")
    prediction = predict_utterance(trained, wav_path=file, transcript=transcript, start=start, end=end, channel=chosen)
    if as_json:
        _show_json(prediction, trained)
    else:
        _show(prediction, trained)


def _how_calibrated(run: "TrainedRun") -> str:
    if run.calibration is None:
        return "not calibrated"
    return f"calibrated, temperature {run.calibration.temperature:.3f}"


def _show_json(prediction: "Prediction", run: "TrainedRun") -> None:
    row: dict[str, Any] = {"predicted": prediction.label}
    row |= {"abstain": prediction.abstain} if run.threshold is not None else {}
    row |= {
        "probabilities": prediction.probabilities,
        "calibrated": run.calibration is not None,
        "reason": prediction.reason,
    }
    row |= {"tokens_cut": prediction.tokens_cut} if prediction.tokens_cut else {}
    row |= {"samples_added": prediction.samples_added} if prediction.samples_added else {}
    typer.echo(json.dumps(row, ensure_ascii=False))


def _show(prediction: "Prediction", run: "TrainedRun") -> None:
    if prediction.label is None:
        typer.echo(f"no prediction: {prediction.reason}")
        return
    unsure = f"  (abstains: less sure than {run.threshold:.3f})" if prediction.abstain else ""
    typer.echo(f"{prediction.label}{unsure}")
    if prediction.tokens_cut:
        typer.echo(f"  the transcript was too long for the text encoder; {prediction.tokens_cut} tokens were left out")
    if prediction.samples_added:
        typer.echo(f"  the audio was too short for the audio encoder; {prediction.samples_added} samples were added")
    width = max(map(len, prediction.probabilities))
    for label, probability in sorted(prediction.probabilities.items(), key=lambda item: -item[1]):
        typer.echo(f"  {label:<{width}}  {probability:.3f}  {'█' * round(30 * probability)}")
    typer.echo(f"  probabilities: {_how_calibrated(run)}")


def _predict_rows(run: "TrainedRun", file: Path, *, root: Path | None, channel: Any, output: Path | None) -> None:
    from rich.console import Console

    from vietmer_core.cli.progress import utterance_bar
    from vietmer_core.data.manifest import ManifestSource
    from vietmer_core.evaluation.prediction_files import write_rows
    from vietmer_core.inference.prediction import predict_manifest

    unread = 0

    def counted(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        nonlocal unread
        for row in rows:
            unread += row["predicted"] is None
            yield row

    with utterance_bar(Console(stderr=True), file.name) as bar:
        source = ManifestSource(path=file, root=root)
        rows = counted(predict_manifest(run, [source], channel=channel, on_batch=bar.advance))
        if output is not None:
            write_rows(output, rows)
            typer.echo(f"predictions: {output}, probabilities {_how_calibrated(run)}")
        else:
            for row in rows:
                typer.echo(json.dumps(row, ensure_ascii=False))
    if unread:
        typer.echo(f"{unread} rows have no prediction; their `reason` says why.", err=True)
        raise typer.Exit(EXIT_FOUND)
