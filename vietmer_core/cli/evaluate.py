"""`vietmer evaluate`: the scores of a run on a split."""

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from vietmer_core.cli.options import AsJson, CacheOption, Device, RunPath

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from vietmer_core.evaluation.metrics import Scores
    from vietmer_core.inference.evaluating import Evaluation


def evaluate(
    run: RunPath,
    split: Annotated[
        str | None, typer.Option(help="`test`, `valid` or `train`; test where the spec names one, else valid.")
    ] = None,
    device: Device = None,
    cache: CacheOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a run's best weights: accuracy, macro-F1 with its interval, a table by class, the confusion matrix."""
    from rich.console import Console

    from vietmer_core.cli.progress import CacheDisplay, utterance_bar
    from vietmer_core.evaluation.pictures import draw_confusion
    from vietmer_core.inference.evaluating import evaluate_run
    from vietmer_core.inference.trained_run import TrainedRun

    trained = TrainedRun.load(run, device=device)
    chosen = split or ("test" if trained.spec.data.test is not None else "valid")
    console = Console(stderr=True)
    with utterance_bar(console, f"{chosen} split") as bar, closing(CacheDisplay(console)) as display:
        evaluation = evaluate_run(trained, chosen, on_batch=bar.advance, report=display.fill_cache, cache=cache)
    folder = trained.folder.evaluation_path(chosen)
    draw_confusion(evaluation.scores, folder / "confusion.png", title=f"{trained.spec.name}: {chosen}")
    if as_json:
        typer.echo(json.dumps(json.loads((folder / "scores.json").read_text(encoding="utf-8")), ensure_ascii=False))
        return
    console = Console()
    show_scores(console, evaluation)
    console.print(f"files: {folder} and {trained.folder.predictions_path(chosen)}", soft_wrap=True)


def show_scores(console: "Console", evaluation: "Evaluation") -> None:
    """Print the headline scores, the table by class and the confusion matrix."""
    scores, interval = evaluation.scores, evaluation.macro_f1_interval
    unknown = evaluation.num_unknown_speakers
    speakers = "1 speaker" if interval.num_clusters == 1 else f"{interval.num_clusters} speakers"
    console.print(f"{evaluation.split} split, {scores.num_utterances} utterances, {speakers}")
    if evaluation.split == "valid":
        console.print(
            "This split chose the checkpoint, so its scores are too good; report the test split.", soft_wrap=True
        )
    for name in ("macro_f1", "balanced_accuracy", "accuracy", "weighted_f1", "loss"):
        note = f"  {interval.level:.0%} interval by speaker {interval}" if name == "macro_f1" else ""
        console.print(f"  {name:<18} {scores.summary[name]:.3f}{note}", markup=False)
    if unknown:
        note = f"  {unknown} utterances have no speaker; each counts as one: the interval is too narrow."
        console.print(note, soft_wrap=True)
    elif interval.is_too_narrow:
        few = "1 speaker is" if interval.num_clusters == 1 else f"{interval.num_clusters} speakers are"
        console.print(f"  {few} too few for the interval: take it as narrower than the truth.", soft_wrap=True)
    if cut := evaluation.predictions.tokens_cut:
        note = f"  {len(cut)} transcripts were too long for the text encoder; {sum(cut.values())} tokens were left out."
        console.print(note, soft_wrap=True)
    if added := evaluation.predictions.samples_added:
        note = f"  the audio of {len(added)} utterances was too short for the audio encoder; {sum(added.values())} "
        console.print(f"{note}samples of silence were added.", soft_wrap=True)
    console.print(_class_table(scores), _confusion_table(scores))


def _class_table(scores: "Scores") -> "Table":
    from rich.table import Table

    table = Table("label", title="by class", title_justify="left")
    for heading in ("precision", "recall", "F1", "utterances"):
        table.add_column(heading, justify="right")
    for index, label in enumerate(scores.labels):
        figures = [f"{values[index]:.3f}" for values in (scores.precision, scores.recall, scores.f1)]
        table.add_row(label, *figures, str(scores.support[index]))
    return table


def _confusion_table(scores: "Scores") -> "Table":
    """Counts, true label in rows; the columns carry the numbers of the rows, so that many labels fit."""
    from rich.table import Table

    table = Table("true", title="confusion: predicted label in columns", title_justify="left")
    for index in range(len(scores.labels)):
        table.add_column(str(index + 1), justify="right")
    for index, label in enumerate(scores.labels):
        table.add_row(f"{index + 1} {label}", *(str(count) for count in scores.confusion[index]))
    return table
