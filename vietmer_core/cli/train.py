"""`vietmer train`: from a spec to a run folder."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vietmer_core.cli.options import DEFAULT_RUNS, CacheOption, Overrides, RunsRoot
from vietmer_core.errors import EXIT_INTERRUPTED, SpecError
from vietmer_core.ranks import alike, is_main_process

if TYPE_CHECKING:
    from vietmer_core.spec import ExperimentSpec


def train(
    specs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[SPEC...]", help="Spec files, YAML or TOML; a later one wins over an earlier."),
    ] = None,
    overrides: Overrides = [],  # noqa: B006  # typer reads it and never changes it
    runs: RunsRoot = DEFAULT_RUNS,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue a run where it stopped, instead of starting one.")
    ] = None,
    cache: CacheOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the spec, print it resolved, and train nothing.")
    ] = False,
    accept_versions: Annotated[
        bool, typer.Option("--accept-versions", help="Continue a run with other versions than it began with.")
    ] = False,
) -> None:
    """Train an experiment; Ctrl-C saves it, and `--resume` continues it.

    Several processes train together where `torchrun` or `accelerate launch` starts this command.
    """
    if (resume is None) == (not specs):
        raise typer.BadParameter("give spec files, or `--resume RUN`, exactly one of them.")
    if resume is not None:
        if check or runs != DEFAULT_RUNS:
            raise typer.BadParameter("`--check` and `--runs` belong to a new run, not to one that continues.")
        _resume(resume, overrides, cache=cache, accept_versions=accept_versions)
        return
    if cache is not None or accept_versions:
        raise typer.BadParameter(
            "`--cache` and `--accept-versions` belong to a run that continues; a new one takes `--set cache=FOLDER`."
        )
    spec = alike(lambda: _spec_of(specs or [], overrides))
    if check:
        import yaml

        typer.echo(yaml.safe_dump(spec.resolved(), sort_keys=False, allow_unicode=True), nl=False)
        return
    from rich.console import Console

    from vietmer_core.cli.progress import TrainingDisplay
    from vietmer_core.training.runs import start_run

    display = TrainingDisplay(Console(stderr=True))
    with closing(display), told_before_the_run():
        folder, finish = start_run(spec, root=runs, observers=[display], say=_say)
    if is_main_process():
        _report(folder.path, finish.outcome)
    elif finish.outcome == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)


def _spec_of(paths: Sequence[Path], overrides: Sequence[str]) -> "ExperimentSpec":
    """Load a spec; where it has errors, a matrix or a search is told as one."""
    from vietmer_core.spec_loading import load_spec

    try:
        return load_spec(paths, overrides)
    except SpecError:
        from vietmer_core.cli.matrix_file import check_no_matrix

        check_no_matrix(paths)
        raise


def _say(line: str) -> None:
    if is_main_process():
        typer.echo(line)


@contextmanager
def told_before_the_run() -> Iterator[None]:
    """Ctrl-C before the first step, as while the feature cache is filled, is a line and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted; what the feature cache holds is kept; the same command goes on from there", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _resume(path: Path, overrides: list[str], *, cache: str | None, accept_versions: bool) -> None:
    from rich.console import Console

    from vietmer_core.cli.progress import TrainingDisplay
    from vietmer_core.training.runs import resume_run

    display = TrainingDisplay(Console(stderr=True))
    with closing(display), told_before_the_run():
        folder, finish = resume_run(
            path, overrides=overrides, observers=[display], cache=cache, accept_versions=accept_versions, say=_say
        )
    if is_main_process():
        _report(folder.path, finish.outcome)
    elif finish.outcome == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)


def _report(path: Path, outcome: str) -> None:
    from vietmer_core.training.run_folder import STATUS_FILE, RunFolder

    status = RunFolder(path).read_json(STATUS_FILE)
    if outcome == "interrupted":
        typer.echo(f"interrupted after step {status['step']}; continue with: vietmer train --resume {path}")
        raise typer.Exit(EXIT_INTERRUPTED)
    best = status.get("best", {})
    monitor = status["monitor"]
    ending = "stopped early" if outcome == "stopped_early" else "finished"
    score = f"{best[monitor]:.3f} (epoch {status['best_epoch'] + 1})" if monitor in best else "none"
    typer.echo(f"{ending}: best validation {monitor} {score}, {status['seconds']:.0f} s")
    if status.get("transcripts_cut"):
        cut = f"{status['transcripts_cut']} training transcripts were too long for the text encoder"
        typer.echo(f"{cut}; {status['tokens_cut']} tokens were left out of their middles")
    if status.get("audio_padded"):
        padded = f"the audio of {status['audio_padded']} training utterances was too short for the audio encoder"
        typer.echo(f"{padded}; {status['samples_added']} samples of silence were added")
    if status.get("utterances_skipped"):
        skipped = f"training utterances that could not be used and were left out: {status['utterances_skipped']}"
        typer.echo(f"{skipped}; {path / 'skipped.jsonl'} lists them")
    typer.echo(f"run folder: {path}")
    typer.echo(f"next: vietmer evaluate {path}")
