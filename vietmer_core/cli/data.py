"""`vietmer data …`: what a manifest and its audio hold."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from vietmer_core.cli.choices import check_name
from vietmer_core.errors import EXIT_FOUND

if TYPE_CHECKING:
    from vietmer_core.data.check import Progress
    from vietmer_core.data.check_report import CheckReport
    from vietmer_core.data.manifest import ManifestSource

commands: Final = typer.Typer(help="Import, check, describe, split, audit and export manifests.", no_args_is_help=True)

DEFAULT_LABEL_FIELD: Final = "emotion"
REQUIREMENTS: Final = ("audio", "text", "label")

CHECK_EXIT_CODES: Final = (
    "Exit codes: 0 no errors (warnings or none); 1 errors were found; 2 the command line or the spec cannot be used, "
    "for example since it names a kind that is not installed; 4 `--spec` is given, a plugin is broken and "
    "VIETMER_STRICT_PLUGINS is set; 130 interrupted."
)
STATS_EXIT_CODES: Final = (
    "Exit codes: 0 done; 2 the command line cannot be used; 3 a manifest cannot be used or the picture cannot be "
    "written; 130 interrupted."
)

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="JSONL manifests, taken together as one split.")]
Root = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Folder that `wav_path` starts from; else the manifest's own."),
]
LabelField = Annotated[
    str | None, typer.Option(help=f"Field that holds the label; the spec's, or `{DEFAULT_LABEL_FIELD}`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]


@commands.command(epilog=CHECK_EXIT_CODES)
def check(
    files: Files,
    root: Root = None,
    label_field: LabelField = None,
    labels: Annotated[str | None, typer.Option(help="Label space, separated by commas.")] = None,
    soft_label_field: Annotated[
        str | None, typer.Option(help="Field that holds a soft label, label to probability; the spec's by default.")
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="Spec that gives the label space, label maps and roots.")] = None,
    require: Annotated[
        str | None, typer.Option(help="What every row must have: `audio`, `text`, `label`, separated by commas.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every line and decode every recording; print each problem with its file, line and field."""
    needed = parse_list(require, option="--require", allowed=REQUIREMENTS)
    given = parse_list(labels, option="--labels")
    if spec is not None and given is not None:
        raise typer.BadParameter("name either `--labels` or `--spec`, not both.")
    refuse_repetition(files)
    settings = _interpret(
        files, root=root, label_field=label_field, soft_label_field=soft_label_field, labels=given, spec=spec
    )
    refuse_field(settings.label_field, soft=settings.soft_label_field)

    from vietmer_core.data.check import check_split

    with _progress() as progress:
        report = check_split(
            settings.sources,
            label_field=settings.label_field,
            soft_label_field=settings.soft_label_field,
            labels=settings.labels,
            needed=frozenset(needed or ()),
            progress=progress,
        )
    _show_report(report, as_json=as_json)
    if report.of_severity("error"):
        raise typer.Exit(EXIT_FOUND)


@commands.command(epilog=STATS_EXIT_CODES)
def stats(
    files: Files,
    root: Root = None,
    label_field: LabelField = None,
    picture: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Also write a picture (.png, .svg or .pdf).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Describe a split: durations, words, classes, speakers and modalities."""
    from vietmer_core.data.manifest import Manifest, ManifestSource
    from vietmer_core.data.stats import summarise

    refuse_repetition(files)
    field = label_field or DEFAULT_LABEL_FIELD
    refuse_field(field)
    sources = [ManifestSource(path=path, root=root) for path in files]
    statistics = summarise(Manifest.open(sources, label_field=field, require_labels=False))
    if picture is not None:
        from vietmer_core.data.stats_picture import draw_statistics

        draw_statistics(statistics, picture)
    if as_json:
        print_json(statistics.as_json())
        return
    from rich.console import Console

    from vietmer_core.data.stats_table import print_statistics

    print_statistics(statistics, Console(highlight=False))


class _Settings(NamedTuple):
    """What a check needs to know beside the files."""

    sources: "list[ManifestSource]"
    label_field: str
    soft_label_field: str | None
    labels: Sequence[str] | None


def _interpret(
    files: Sequence[Path],
    *,
    root: Path | None,
    label_field: str | None,
    soft_label_field: str | None,
    labels: list[str] | None,
    spec: Path | None,
) -> _Settings:
    """The options, completed from the spec where one is given."""
    from vietmer_core.data.manifest import ManifestSource

    if spec is None:
        sources = [ManifestSource(path=path, root=root) for path in files]
        return _Settings(sources, label_field or DEFAULT_LABEL_FIELD, soft_label_field, labels)
    from vietmer_core.data.check_sources import sources_of_spec
    from vietmer_core.spec_loading import load_spec

    experiment = load_spec([spec])
    return _Settings(
        sources_of_spec(experiment, files, root=root),
        label_field or experiment.label_field,
        soft_label_field or experiment.soft_label_field,
        experiment.labels,
    )


def parse_list(text: str | None, *, option: str, allowed: Sequence[str] | None = None) -> list[str] | None:
    """The names of an option that takes several, separated by commas; None where it was not given.

    Raises:
        typer.BadParameter: if a name is empty or not allowed.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise typer.BadParameter(f"must be names separated by commas, but is `{text}`.", param_hint=option)
    for name in names if allowed is not None else ():
        check_name(name, allowed or (), option=option)
    return names


def refuse_field(field: str, *, soft: str | None = None) -> None:
    """Refuse a label field that has another use.

    Raises:
        typer.BadParameter: if it has.
    """
    from vietmer_core.data.utterance import REQUIRED_FIELDS

    if field in REQUIRED_FIELDS:
        raise typer.BadParameter(
            f"must name a field for labels, but `{field}` has another use.", param_hint="--label-field"
        )
    if soft in (*REQUIRED_FIELDS, field):
        raise typer.BadParameter(
            f"must name a field for soft labels, but `{soft}` has another use.", param_hint="--soft-label-field"
        )


def refuse_repetition(files: Sequence[Path]) -> None:
    """Refuse a manifest that is named twice.

    Raises:
        typer.BadParameter: if one is.
    """
    seen: set[str] = set()
    for path in files:
        real = os.path.realpath(path)
        if real in seen:
            raise typer.BadParameter(f"`{path}` is named twice. Name each manifest once.")
        seen.add(real)


def _show_report(report: "CheckReport", *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_json())
        return
    from rich.console import Console

    from vietmer_core.data.check_print import print_report

    print_report(report, Console(highlight=False))


def print_json(document: object) -> None:
    """Print a document to standard output."""
    import json

    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


@contextmanager
def _progress() -> "Iterator[Progress | None]":
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("recordings", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
