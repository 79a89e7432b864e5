"""`vietmer report`: runs as one page, with tables, figures and a model card beside it."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.cli.choices import check_name, folder_only
from vietmer_core.cli.options import Device

if TYPE_CHECKING:
    from vietmer_core.reporting.contents import Contents
    from vietmer_core.training.run_folder import RunFolder

REPORT_EXIT_CODES: Final = (
    "Exit codes: 0 done, 2 an option cannot be used, 3 the data of a run that must be evaluated first cannot be read, "
    "5 a run cannot be used."
)
SOUND_MIB: Final = 24


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FOLDER",
            help="Where it is written; `report` beside the scores of one run, `report` here of several.",
            callback=folder_only,
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="`test`, `valid` or `train`; test where the spec names one, else valid.")
    ] = None,
    worst: Annotated[
        int, typer.Option(min=0, help="How many utterances by the loss of the true label, and confident errors beside.")
    ] = 20,
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Whether the audio stands in the page.")] = True,
    sound_mib: Annotated[
        int, typer.Option(min=0, help="The most sound in the page, MiB; the worst come first.")
    ] = SOUND_MIB,
    each: Annotated[
        bool, typer.Option("--each", help="Compare each run by itself: group no seeds, join no folds.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate/--no-evaluate", help="Whether runs that lack scores of the split are evaluated.")
    ] = True,
    device: Device = None,
) -> None:
    """Write one page about runs, which opens offline: data, splits, scores, curves, calibration, subgroups, sound.

    Beside it: tables (CSV, Markdown, LaTeX), figures (SVG, PDF) and a model card of each run.
    """
    from vietmer_core.catalogue import installed_catalogue
    from vietmer_core.files import check_writable
    from vietmer_core.reporting.contents import contents_of
    from vietmer_core.reporting.evidence import default_split
    from vietmer_core.reporting.writing import PAGE, write_report
    from vietmer_core.training.run_folder import RunFolder, require_distinct

    if split is not None:
        check_name(split, ("test", "valid", "train"), option="--split")
    folders = [RunFolder.open(path) for path in runs]
    require_distinct(runs)
    chosen = split or default_split(folders[0])
    folder = to or (folders[0].evaluation_path(chosen) / "report" if len(runs) == 1 else Path("report"))
    check_writable(folder / PAGE)
    if evaluate:
        _evaluate_missing(folders, split=chosen, device=device)
    contents = contents_of(
        runs,
        split=chosen,
        catalogue=installed_catalogue(),
        worst=worst,
        clips=sound,
        sound_bytes=sound_mib * 2**20,
        grouped=not each,
    )
    sizes = write_report(folder, contents)
    _show(contents, folder, sizes)


def _evaluate_missing(folders: "list[RunFolder]", *, split: str, device: str | None) -> None:
    """Evaluate what has no scores that can be reported, and say so."""
    from vietmer_core.reporting.evidence import what_is_missing

    missing = [(folder, reason) for folder in folders if (reason := what_is_missing(folder, split)) is not None]
    if not missing:
        return
    from rich.console import Console

    from vietmer_core.cli.progress import CacheDisplay, utterance_bar
    from vietmer_core.inference.evaluating import audit_of_run, evaluate_run
    from vietmer_core.inference.trained_run import TrainedRun

    console = Console(stderr=True)
    for folder, reason in missing:
        console.print(f"{folder.path} is evaluated, since {reason}", soft_wrap=True, markup=False, highlight=False)
        run = TrainedRun.load(folder.path, device=device)
        with utterance_bar(console, "search for leaks") as bar:
            audit = audit_of_run(run, progress=lambda *_, bar=bar: bar.advance(1))
        with utterance_bar(console, f"{split} split") as bar, closing(CacheDisplay(console)) as display:
            evaluate_run(run, split, on_batch=bar.advance, report=display.fill_cache, audit=audit)


def _show(contents: "Contents", folder: Path, sizes: dict[str, int]) -> None:
    from vietmer_core.files import in_mib
    from vietmer_core.reporting.wording import interval_text, standing, three
    from vietmer_core.reporting.writing import PAGE

    for own in contents.runs:
        scores = own.run.scores
        interval = interval_text(scores["intervals"]["macro_f1"])
        typer.echo(f"{own.run.title}: macro-F1 {three(scores['macro_f1'])}, 95% interval {interval}")
        typer.echo(f"  {standing(own.run)}")
    if isinstance(contents.comparison, str):
        typer.echo(f"not compared: {contents.comparison}", err=True)
    for own in contents.runs:
        if isinstance(own.worst, str):
            typer.echo(f"{own.run.title}: no utterances are shown: {own.worst}", err=True)
    sound = contents.sound
    left = f"; {sound.num_left_out} clips were left out" if sound.num_left_out else ""
    typer.echo(f"{folder / PAGE}: {in_mib(sizes[PAGE])}, {in_mib(sound.used)} of sound{left}")
    typer.echo(f"beside it: {len(sizes) - 1} files: tables/, figures/, model cards")
