"""An export described in Croissant 1.0: JSON-LD that says which files a data set has and what their columns hold.

Croissant Format Specification 1.0 (MLCommons, 2024-03-01). Torch-free. Each split is a record set over the columns of
its `metadata.jsonl`; its audio files are a file set, and `file_name` says which belongs to which row. A column that
holds lists or mappings has no type in Croissant; it stays in the file and is named in the description.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.data.exporting import ExportedSplit
from vietmer_core.files import write_atomically

FILE_NAME: Final = "croissant.json"
CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.0"
CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives."""

_MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".aiff": "audio/aiff",
    ".aif": "audio/aiff",
}
_TYPES: Final[Mapping[type, str]] = {str: "sc:Text", bool: "sc:Boolean", int: "sc:Integer", float: "sc:Float"}


@attrs.frozen(kw_only=True)
class DatasetFacts:
    """What a manifest does not say of a data set.

    Attributes:
        name: Its name.
        published: Date, `YYYY-MM-DD`.
        description: What it is.
        url: Where it is described.
        creator: Who made it.
        licence: Of the data; that of the rows by default.
        citation: How it is to be cited.
    """

    name: str
    published: str
    description: str | None = None
    url: str | None = None
    creator: str | None = None
    licence: str | None = None
    citation: str | None = None


def write_croissant(splits: Sequence[ExportedSplit], folder: Path, facts: DatasetFacts) -> Path:
    """Write `croissant.json` into an export.

    Raises:
        RunError: if it cannot be written.
    """
    document = describe(splits, folder, facts)
    path = folder / FILE_NAME
    write_atomically(path, (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode())
    return path


def missing_facts(splits: Sequence[ExportedSplit], facts: DatasetFacts) -> list[str]:
    """The properties that the specification asks of a data set and that are not known."""
    found = {"url": facts.url, "creator": facts.creator, "license": _licences(splits, facts)}
    return [name for name, value in found.items() if not value]


def describe(splits: Sequence[ExportedSplit], folder: Path, facts: DatasetFacts) -> dict[str, Any]:
    """The JSON-LD of an export in `folder`."""
    licences = _licences(splits, facts)
    optional = {
        "license": licences[0] if len(licences) == 1 else licences or None,
        "url": facts.url,
        "citeAs": facts.citation,
        "creator": None if facts.creator is None else {"@type": "Organization", "name": facts.creator},
    }
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "name": facts.name,
        "description": facts.description or _description(splits),
        "conformsTo": CONFORMS_TO,
        "datePublished": facts.published,
        "version": "1.0.0",
        **{name: value for name, value in optional.items() if value},
        "distribution": [entry for split in splits for entry in _files(split, folder)],
        "recordSet": [_record_set(split) for split in splits],
    }


def _name(split: ExportedSplit) -> str:
    return split.folder or "all"


def _licences(splits: Sequence[ExportedSplit], facts: DatasetFacts) -> list[str]:
    if facts.licence:
        return [facts.licence]
    found = {str(row["licence"]) for split in splits for row in split.rows if row.get("licence")}
    return sorted(found)


def _description(splits: Sequence[ExportedSplit]) -> str:
    sizes = ", ".join(f"{len(split.rows)} utterances in {_name(split)}" for split in splits)
    nested = sorted({name for split in splits for name, kind in _columns(split).items() if kind is None})
    beside = f" The columns {', '.join(nested)} of the metadata hold lists or mappings." if nested else ""
    return f"Utterances with their emotion, exported by VietMER: {sizes}.{beside}"


def _files(split: ExportedSplit, folder: Path) -> list[dict[str, Any]]:
    content = split.metadata.read_bytes()
    metadata = {
        "@type": "cr:FileObject",
        "@id": f"{_name(split)}-metadata",
        "name": f"{_name(split)}-metadata",
        "description": "One JSON object a line, one utterance an object.",
        "contentUrl": split.metadata.relative_to(folder).as_posix(),
        "contentSize": f"{len(content)} B",
        "encodingFormat": "application/jsonlines",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    suffixes = sorted({path.suffix for path in split.audio})
    return [metadata, *(_file_set(split, folder, suffix) for suffix in suffixes)]


def _file_set(split: ExportedSplit, folder: Path, suffix: str) -> dict[str, Any]:
    audio = split.audio[0].parent.relative_to(folder).as_posix()
    name = f"{_name(split)}-audio-{suffix.removeprefix('.')}"
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "description": "Audio of the utterances; `file_name` of the metadata names each, from the metadata's folder.",
        "encodingFormat": _MEDIA_TYPES.get(suffix, "audio/*"),
        "includes": f"{audio}/*{suffix}",
    }


def _columns(split: ExportedSplit) -> dict[str, str | None]:
    """Column → its type; None for lists and mappings; text where it holds several types or nothing."""
    kinds: dict[str, set[type]] = {}
    for row in split.rows:
        for name, value in row.items():
            kinds.setdefault(name, set()).update(() if value is None else (type(value),))
    return {name: _type_of(found) for name, found in kinds.items()}


def _type_of(kinds: set[type]) -> str | None:
    if kinds & {list, dict}:
        return None
    if kinds == {int, float}:
        return _TYPES[float]
    return _TYPES.get(next(iter(kinds)), _TYPES[str]) if len(kinds) == 1 else _TYPES[str]


def _record_set(split: ExportedSplit) -> dict[str, Any]:
    name = _name(split)
    columns = {column: kind for column, kind in _columns(split).items() if kind is not None}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The utterances of the split {name}." if split.folder else "The utterances.",
        "key": {"@id": f"{name}/utterance_id"},
        "field": [_field(name, column, kind) for column, kind in columns.items()],
    }


def _field(record_set: str, column: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column}",
        "name": f"{record_set}/{column}",
        "description": f"The column `{column}` of the metadata.",
        "dataType": kind,
        "source": {"fileObject": {"@id": f"{record_set}-metadata"}, "extract": {"column": column}},
    }
