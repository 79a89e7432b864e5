"""`vietmer errors`: the worst predictions of a run, as a page to look at and to listen to."""

from pathlib import Path
from typing import Annotated, Final

import typer

from vietmer_core.cli.options import RunPath

EXIT_CODES: Final = (
    "Exit codes: 0 done; 2 the command line cannot be used; 3 the split cannot be read; 5 the run cannot be used or is "
    "not evaluated, or the page cannot be written; 130 interrupted."
)


def errors(
    run: RunPath,
    split: Annotated[
        str | None, typer.Option(help="`test`, `valid` or `train`; test where the spec names one, else valid.")
    ] = None,
    worst: Annotated[
        int, typer.Option(min=1, help="How many by the loss of the true label, and how many confident errors beside.")
    ] = 50,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE.html", help="The page; `errors.html` beside the scores if none."),
    ] = None,
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Whether the audio stands in the page.")] = True,
) -> None:
    """Write one page with the worst predictions of an evaluated run: players, probabilities, shares, filters."""
    from vietmer_core.catalogue import installed_catalogue
    from vietmer_core.error_browser.entries import worst_entries
    from vietmer_core.error_browser.page import write_errors
    from vietmer_core.files import check_writable, in_mib
    from vietmer_core.training.run_folder import RunFolder
    from vietmer_core.training.run_spec import read_spec

    folder, catalogue = RunFolder.open(run), installed_catalogue()
    spec = read_spec(folder, catalogue)
    chosen = split or ("test" if spec.data.test is not None else "valid")
    path = to or folder.evaluation_path(chosen) / "errors.html"
    check_writable(path)
    found = worst_entries(folder, chosen, spec=spec, catalogue=catalogue, worst=worst, clips=sound)
    size = write_errors(path, found)
    typer.echo(f"{found.num_wrong} of {found.num_utterances} utterances of the {chosen} split are predicted wrongly")
    for sentence in found.outdated:
        typer.echo(sentence, err=True)
    if found.clip_faults:
        typer.echo(f"the sound of {len(found.clip_faults)} is missing, for example: {found.clip_faults[0]}", err=True)
    heard = f", {in_mib(found.clip_bytes)} of it sound" if found.clip_bytes else ""
    typer.echo(f"{path}: {len(found.entries)} utterances, {in_mib(size)}{heard}")
