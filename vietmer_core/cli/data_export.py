"""`vietmer data export`: manifests become a folder that other tools read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from vietmer_core.cli.choices import choice

if TYPE_CHECKING:
    from vietmer_core.data.croissant import DatasetFacts
    from vietmer_core.data.exporting import ExportedSplit

EXIT_CODES: Final = (
    "Exit codes: 0 done; 2 the command line cannot be used; 3 a manifest or its audio cannot be used; 5 the folder "
    "cannot be written; 130 interrupted."
)

Manifests = Annotated[
    list[Path], typer.Argument(metavar="MANIFEST...", help="JSONL manifests; `train.jsonl` is the split train.")
]
Fact = Annotated[str | None, typer.Option(help="Of the data set, for Croissant.")]


def export(
    manifests: Manifests,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", file_okay=False, help="Where the export goes.")],
    layout: Annotated[
        Literal["audiofolder", "croissant"],
        choice(
            ("audiofolder", "croissant"),
            "--format",
            text="`audiofolder`: audio and metadata; `croissant`: that, with a description.",
        ),
    ] = "audiofolder",
    metadata: Annotated[
        Literal["jsonl", "csv"],
        choice(("jsonl", "csv"), text="Format of the metadata; csv holds text alone."),
    ] = "jsonl",
    root: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder that `wav_path` starts from; else the manifest's own."),
    ] = None,
    label_field: Annotated[str, typer.Option(help="Field that holds the label.")] = "emotion",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write metadata anew that is there already.")] = False,
    name: Fact = None,
    description: Fact = None,
    url: Fact = None,
    creator: Fact = None,
    licence: Fact = None,
    citation: Fact = None,
    published: Annotated[str | None, typer.Option(help="Date of publication, YYYY-MM-DD; today by default.")] = None,
) -> None:
    """Write each segment as an audio file, no sample changed, beside the metadata; or describe that in Croissant."""
    from vietmer_core.data.croissant import DatasetFacts
    from vietmer_core.data.exporting import ExportSettings, export_splits
    from vietmer_core.data.manifest import ManifestSource

    is_croissant = layout == "croissant"
    if is_croissant and metadata == "csv":
        raise typer.BadParameter("Croissant describes `jsonl`, whose columns have types.", param_hint="--metadata")
    date = _date(published)
    settings = ExportSettings(
        label_field=label_field, metadata=metadata, needs_audio=not is_croissant, overwrite=overwrite
    )
    splits = export_splits([ManifestSource(path=path, root=root) for path in manifests], to, settings)
    for split in splits:
        typer.echo(f"{split.metadata}: {len(split.rows):,} rows, {len(split.audio):,} audio files.")
    if is_croissant:
        facts = DatasetFacts(
            name=name or to.resolve().name,
            published=date,
            description=description,
            url=url,
            creator=creator,
            licence=licence,
            citation=citation,
        )
        _describe(splits, to, facts)


def _describe(splits: "Sequence[ExportedSplit]", folder: Path, facts: "DatasetFacts") -> None:
    """Write the description in Croissant, and say what it lacks."""
    from vietmer_core.data.croissant import missing_facts, write_croissant

    typer.echo(f"{write_croissant(splits, folder, facts)}: Croissant 1.0.")
    missing = missing_facts(splits, facts)
    if missing:
        options = ", ".join(f"`--{'licence' if fact == 'license' else fact}`" for fact in missing)
        typer.echo(f"note: Croissant asks for {', '.join(missing)}, which nothing says; give {options}.")


def _date(text: str | None) -> str:
    """A date as it was given, or today's.

    Raises:
        typer.BadParameter: if it is none.
    """
    from datetime import UTC, date, datetime

    if text is None:
        return datetime.now(tz=UTC).date().isoformat()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise typer.BadParameter(f"must be YYYY-MM-DD, but is `{text}`.", param_hint="--published") from None
