"""Manifests as a folder that other tools read: audio files, and one metadata file for each split. Torch-free.

The layout is that of AudioFolder, a loader of Hugging Face's `datasets` ("Create an audio dataset"): `file_name`
relative to the metadata file, any other columns, splits in folders named `train`, `validation` and `test`.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from vietmer_core.data.import_audio import absolute
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.data.segment_files import recording_name, write_segment
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError
from vietmer_core.files import check_writable, write_atomically

MetadataFormat = Literal["jsonl", "csv"]

SPLIT_FOLDERS: Final[Mapping[str, str]] = {"train": "train", "valid": "validation", "test": "test"}
"""Name of a manifest → folder of its split."""
AUDIO_FOLDER: Final = "audio"
_LONGEST_NAME: Final = 120
_MAX_LISTED: Final = 5


@attrs.frozen(kw_only=True)
class ExportedSplit:
    """One split as it was written.

    Attributes:
        folder: Its folder below the export; empty where there are no splits.
        metadata: Its metadata file.
        rows: What that holds.
        audio: The audio files.
    """

    folder: str
    metadata: Path
    rows: Sequence[Mapping[str, Any]]
    audio: Sequence[Path]


@attrs.frozen(kw_only=True)
class ExportSettings:
    """How manifests are exported.

    Attributes:
        label_field: The field that holds the label.
        metadata: `jsonl` keeps numbers, lists and what is null apart from what is empty; `csv` holds text alone.
        needs_audio: Whether a row without audio is refused.
        overwrite: Whether metadata files that are there already are written anew.
    """

    label_field: str = "emotion"
    metadata: MetadataFormat = "jsonl"
    needs_audio: bool = True
    overwrite: bool = False


def export_splits(sources: Sequence[ManifestSource], folder: Path, settings: ExportSettings) -> list[ExportedSplit]:
    """Write every segment as a file, and the metadata of each split after its audio.

    Args:
        sources: The manifests; one named `train.jsonl`, `valid.jsonl` or `test.jsonl` is that split.
        folder: Where the export goes.
        settings: How.

    Raises:
        DataError: where the names of the manifests tell no splits, a row has no audio, an audio file cannot be read, or
            the export is there already.
        DataProblemsError: with the faults of the manifests.
        RunError: if the folder cannot be written.
    """
    opened = {
        name: Manifest.open(found, label_field=settings.label_field, require_labels=False)
        for name, found in _by_split(sources).items()
    }
    for name, manifest in opened.items():
        path = _metadata_path(folder, name, settings)
        if path.exists() and not settings.overwrite:
            raise DataError(f"`{path}` is there already. Name another folder, or write it anew with `--overwrite`.")
        check_writable(path)
        if settings.needs_audio:
            _refuse_text(manifest)
    return [_export_split(name, manifest, folder, settings) for name, manifest in opened.items()]


def _by_split(sources: Sequence[ManifestSource]) -> dict[str, list[ManifestSource]]:
    named = [SPLIT_FOLDERS.get(source.path.stem, "") for source in sources]
    if any(named) and not all(named):
        odd = next(source.path for source, name in zip(sources, named, strict=True) if not name)
        names = ", ".join(f"`{name}.jsonl`" for name in SPLIT_FOLDERS)
        raise DataError(f"`{odd}` is named for no split, while others are. Name each one of {names}, or none.")
    found: dict[str, list[ManifestSource]] = {}
    for source, name in zip(sources, named, strict=True):
        found.setdefault(name, []).append(source)
    return found


def _refuse_text(manifest: Manifest) -> None:
    lacking = [utterance.place for utterance in manifest if not utterance.has_audio]
    if lacking:
        listed = ", ".join(lacking[:_MAX_LISTED]) + (", …" if len(lacking) > _MAX_LISTED else "")
        raise DataError(
            f"{len(lacking)} of {len(manifest)} rows have no audio, which AudioFolder needs of each: {listed}. "
            "Leave them out, or take `--format croissant`."
        )


def _metadata_path(folder: Path, split: str, settings: ExportSettings) -> Path:
    return folder / split / f"metadata.{settings.metadata}"


def _export_split(split: str, manifest: Manifest, folder: Path, settings: ExportSettings) -> ExportedSplit:
    path = _metadata_path(folder, split, settings)
    roots = {str(source.path): absolute(source.root or source.path.parent) for source in manifest.sources}
    names: set[str] = set()
    rows, audio = [], []
    for utterance in manifest:
        file = None
        if utterance.has_audio:
            file = write_segment(utterance, path.parent / AUDIO_FOLDER / _file_name(utterance.utterance_id, names))
            audio.append(file)
        root = roots[utterance.place.rpartition(":")[0]]
        rows.append(_row(utterance, file, path.parent, root, settings))
    write_atomically(path, _encoded(rows, settings).encode())
    return ExportedSplit(folder=split, metadata=path, rows=rows, audio=audio)


def _row(utterance: Utterance, file: Path | None, folder: Path, root: Path, settings: ExportSettings) -> dict[str, Any]:
    """The row of a segment: its times are those of its own file, so they are not in it."""
    metadata = dict(utterance.metadata)
    if utterance.wav_path is not None:
        metadata.setdefault("recording_id", recording_name(utterance.wav_path, root))
    return {
        "file_name": None if file is None else file.relative_to(folder).as_posix(),
        "utterance_id": utterance.utterance_id,
        "speaker_id": utterance.speaker_id,
        "transcript": utterance.transcript,
        settings.label_field: utterance.label,
        **metadata,
    }


def _file_name(utterance_id: str, taken: set[str]) -> str:
    """A name that every file system takes, and that no other utterance of the split has, whatever the case."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", utterance_id)[:_LONGEST_NAME].strip(".") or "utterance"
    name = next(name for name in _numbered(plain) if name.casefold() not in taken)
    taken.add(name.casefold())
    return name


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _encoded(rows: Sequence[Mapping[str, Any]], settings: ExportSettings) -> str:
    if settings.metadata == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> str:
    """A value as text: nothing for null, JSON for a list, a mapping or a truth value."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
