"""`vietmer demo`: the whole of VietMER in two minutes, with no download."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vietmer_core.cli.options import DEFAULT_RUNS, RunsRoot
from vietmer_core.errors import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from vietmer_core.demo.report import Example
    from vietmer_core.demo.running import DemoResult


def demo(
    runs: RunsRoot = DEFAULT_RUNS,
    report: Annotated[Path, typer.Option(help="Where the report page goes.")] = Path("vietmer-demo.html"),
) -> None:
    """Train text alone, voice alone and both on the shipped synthetic corpus, and lay them side by side."""
    from rich.console import Console

    from vietmer_core.cli.progress import TrainingDisplay
    from vietmer_core.demo.report import write_report
    from vietmer_core.demo.running import run_demo
    from vietmer_core.files import check_writable

    check_writable(report)
    console, display = Console(), Console(stderr=True)
    console.print("VietMER demo: Vietnamese support calls, four emotions, three models.")
    console.print(
        "The speech is synthetic: a rule-based synthesiser made it. It shows the software, not people.", soft_wrap=True
    )
    try:
        results = run_demo(runs, observers=lambda: [TrainingDisplay(display)])
    except KeyboardInterrupt:
        typer.echo("interrupted; the demo starts anew the next time.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _show_results(console, results)
    example = _example(results, runs / "demo-utterance.wav")
    _show_example(console, results, example)
    write_report(report, results, example)
    console.print(f"report: {report}")
    console.print("try it:", style="bold")
    command = f'  vietmer predict {results[-1].run.folder.path} {example.wav} --transcript "{example.transcript}"'
    console.print(command, soft_wrap=True, markup=False, highlight=False)


def _show_results(console: "Console", results: "Sequence[DemoResult]") -> None:
    from rich.table import Table

    from vietmer_core.cli.scores_view import show_standing
    from vietmer_core.demo.running import CUES, gain_of_fusion

    table = Table("model", title="test split", title_justify="left")
    for heading in ("macro-F1", "95% interval", "accuracy", *CUES):
        table.add_column(heading, justify="right")
    for result in results:
        interval = result.evaluation.macro_f1_interval
        accuracy = result.evaluation.scores.summary["accuracy"]
        by_cue = [f"{result.by_cue[cue]:.3f}" for cue in CUES]
        table.add_row(
            result.title,
            f"{result.macro_f1:.3f}",
            f"{interval.low:.3f}–{interval.high:.3f}",
            f"{accuracy:.3f}",
            *by_cue,
        )
    console.print(table)
    show_standing(console, results[0].evaluation)
    gain, interval = gain_of_fusion(results)
    console.print(
        "voice, words, both: accuracy where only the voice, only the words, or both tell the emotion", soft_wrap=True
    )
    console.print(f"fused minus the better single modality: {gain:+.3f} {interval}", markup=False, soft_wrap=True)
    few = "; too few speakers" if interval.too_few else ""
    console.print(f"intervals by speaker, of {interval.num_clusters} test speakers{few}", soft_wrap=True)


def _example(results: "Sequence[DemoResult]", wav: Path) -> "Example":
    """Write one test utterance as a file of its own and let each model classify that file."""
    import soundfile

    from vietmer_core.data.audio import read_segment
    from vietmer_core.demo.report import Example
    from vietmer_core.demo.running import telling_utterance
    from vietmer_core.inference.prediction import predict_utterance

    utterance = results[-1].evaluation.manifest[telling_utterance(results)]
    assert utterance.wav_path is not None
    samples = read_segment(
        utterance.wav_path, start=utterance.start, end=utterance.end, channel="mono", sampling_rate=16_000
    )
    soundfile.write(wav, samples, 16_000)
    predictions = tuple(
        predict_utterance(result.run, wav_path=wav, transcript=utterance.transcript) for result in results
    )
    return Example(
        wav=wav,
        transcript=utterance.transcript or "",
        label=utterance.label or "",
        predictions=predictions,
    )


def _show_example(console: "Console", results: "Sequence[DemoResult]", example: "Example") -> None:
    console.print(f"\none utterance: “{example.transcript}” ({example.wav})", soft_wrap=True)
    console.print(f"neutral words in a voice made {example.label}:")
    for result, prediction in zip(results, example.predictions, strict=True):
        ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
        console.print(f"  {result.title:<12} " + "  ".join(f"{label} {value:.2f}" for label, value in ranked))
