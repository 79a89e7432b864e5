"""`vietmer data audit`: leaks between splits, and cues that a model may lean on."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, cast

import typer

from vietmer_core.cli.data import (
    DEFAULT_LABEL_FIELD,
    AsJson,
    LabelField,
    Root,
    print_json,
    refuse_field,
    refuse_repetition,
)
from vietmer_core.cli.options import ChannelOption, read_channel
from vietmer_core.errors import EXIT_FOUND

if TYPE_CHECKING:
    from vietmer_core.audit.listening import Progress
    from vietmer_core.data.audio import Channel
    from vietmer_core.data.manifest import ManifestSource

EXIT_CODES: Final = (
    "Exit codes: 0 no leak (cues and notes or none); 1 a leak was found; 2 the command line or the spec cannot be "
    "used, for example since it names a kind that is not installed; 3 a manifest cannot be used, or none of the audio; "
    "4 `--spec` is given, a plugin is broken and VIETMER_STRICT_PLUGINS is set; 130 interrupted."
)

Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help="JSONL manifests, taken together as one split and audited within it."),
]
Manifests = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A manifest of it; may be repeated.")]


def audit(
    files: Files = None,
    train: Manifests = None,
    valid: Manifests = None,
    test: Manifests = None,
    spec: Annotated[
        Path | None, typer.Option(help="Spec whose splits are audited; with FILEs, their label maps and roots.")
    ] = None,
    root: Root = None,
    label_field: LabelField = None,
    channel: ChannelOption = None,
    no_audio: Annotated[bool, typer.Option("--no-audio", help="Decode no audio: find no copies of it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find what two splits share, and what alone predicts the label; leave with 1 where there is a leak."""
    named = {"train": train or [], "valid": valid or [], "test": test or []}
    _refuse_mixture(files or [], named, spec)
    for paths in (files or [], *named.values()):
        refuse_repetition(paths)
    settings = _interpret(files or [], named, spec=spec, root=root, label_field=label_field, channel=channel)
    refuse_field(settings.label_field)

    from vietmer_core.audit import audit_splits

    with _progress() as progress:
        report = audit_splits(
            settings.splits,
            label_field=settings.label_field,
            labels=settings.labels,
            decode_audio=not no_audio,
            channel=settings.channel,
            progress=progress,
        )
    if as_json:
        print_json(report.as_json())
    else:
        from rich.console import Console

        from vietmer_core.audit.printing import print_audit

        print_audit(report, Console(highlight=False))
    if report.leaks:
        raise typer.Exit(EXIT_FOUND)


class _Settings(NamedTuple):
    """What an audit needs to know."""

    splits: "Mapping[str, Sequence[ManifestSource]]"
    label_field: str
    labels: Sequence[str] | None
    channel: "Channel"


def _refuse_mixture(files: Sequence[Path], named: Mapping[str, Sequence[Path]], spec: Path | None) -> None:
    given = [f"--{name}" for name, paths in named.items() if paths]
    if files and given:
        raise typer.BadParameter(f"`{files[0]}` stands alone, beside `{given[0]}`. Name its split, too.")
    if spec is not None and given:
        raise typer.BadParameter(f"name either `--spec` or `{given[0]}`, not both.")
    if not files and not given and spec is None:
        raise typer.BadParameter("name a manifest, the splits (`--train`, `--valid`, `--test`) or a `--spec`.")


def _interpret(
    files: Sequence[Path],
    named: Mapping[str, Sequence[Path]],
    *,
    spec: Path | None,
    root: Path | None,
    label_field: str | None,
    channel: str | None,
) -> _Settings:
    """The options, completed from the spec where one is given."""
    from vietmer_core.data.manifest import ManifestSource

    alone = files[0].stem if len(files) == 1 else "files"
    chosen = read_channel(channel)
    if spec is None:
        wanted = {alone: files} if files else {name: paths for name, paths in named.items() if paths}
        splits = {name: [ManifestSource(path=path, root=root) for path in paths] for name, paths in wanted.items()}
        return _Settings(splits, label_field or DEFAULT_LABEL_FIELD, None, _channel(chosen, "mix"))
    from vietmer_core.audit.verdicts import sources_of_splits
    from vietmer_core.catalogue import installed_catalogue
    from vietmer_core.data.check_sources import sources_of_spec
    from vietmer_core.spec_loading import load_spec

    experiment = load_spec([spec])
    if files:
        splits = {alone: sources_of_spec(experiment, files, root=root)}
    else:
        splits = sources_of_splits(experiment, installed_catalogue(), root=root)
    return _Settings(
        splits, label_field or experiment.label_field, experiment.labels, _channel(chosen, experiment.data.channel)
    )


def _channel(chosen: str | int | None, default: "Channel") -> "Channel":
    if chosen is None:
        return default
    return cast("Channel", chosen)


@contextmanager
def _progress() -> "Iterator[Progress | None]":
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("segments", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
