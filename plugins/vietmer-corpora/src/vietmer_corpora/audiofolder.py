"""The hub's AudioFolder: audio files and `metadata.csv` or `metadata.jsonl`, or a folder for each label. Torch-free.

The layout of `datasets`' AudioFolder (its page "Create an audio dataset"): a column `file_name` relative to the
metadata file, any other columns; folders `train`, `validation`, `test` (and the other words that the hub takes for
them) are splits; without metadata, the folder of a file is its label. Whatever `vietmer data export` writes is read
back as it was.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.data.lines import RowFaultError, decode_row, iterate_lines
from vietmer_core.data.utterance import REQUIRED_FIELDS
from vietmer_core.errors import DataError
from vietmer_corpora.files import AUDIO_SUFFIXES, files_below, require_folder
from vietmer_corpora.splits import split_of
from vietmer_corpora.tables import read_table

METADATA_FILES: Final = ("metadata.csv", "metadata.jsonl")
FILE_COLUMNS: Final = ("file_name", "audio_file_name")
LABEL_COLUMNS: Final = ("emotion", "label")
TEXT_COLUMNS: Final = ("transcript", "transcription", "text", "sentence")
SPEAKER_COLUMNS: Final = ("speaker_id", "speaker")
SOFT_LABEL_COLUMN: Final = "emotion_probs"
_RESERVED: Final = frozenset({*REQUIRED_FIELDS, "emotion"})
"""Fields of a manifest that a further column may not take the name of; such a one is renamed."""


@attrs.frozen(kw_only=True)
class _Entry:
    """One row of a metadata file: its place, and its columns that are not empty in a table."""

    file: Path
    line: int
    values: dict[str, Any]


@final
@attrs.frozen(kw_only=True)
class AudioFolderImporter:
    """`importer: audiofolder`.

    Attributes:
        corpus: Name of the corpus in rows that do not name one; that of the folder by default.
        label_column: Column of the label, where it is neither `emotion` nor `label`.
        transcript_column: That of the transcript, where it has no usual name.
        speaker_column: That of the speaker, where it is neither `speaker_id` nor `speaker`.
    """

    corpus: str | None = None
    label_column: str | None = None
    transcript_column: str | None = None
    speaker_column: str | None = None

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each entry of the metadata, or for each file where there is none.

        Raises:
            DataError: where there is no audio, or a metadata file cannot be read.
        """
        require_folder(source, "that of the audio and its metadata")
        suffixes = frozenset({".csv", ".jsonl"})
        metadata = [path for path in files_below(source, suffixes) if path.name in METADATA_FILES]
        audio = list(files_below(source, AUDIO_SUFFIXES))
        if not audio:
            raise DataError(f"`{source}` holds no audio file.")
        corpus = self.corpus or source.resolve().name
        if not metadata:
            yield from (_unnamed(source, file, corpus) for file in audio)
            return
        named = set()
        for path in metadata:
            for entry in _entries(path, log):
                row = self._row(source, entry, corpus, log)
                if row is not None:
                    named.add(row.audio)
                    yield row
        for _ in set(audio) - named:
            log.skip("audio files that no metadata names")

    def _row(self, source: Path, entry: _Entry, corpus: str, log: ImportLog) -> ImportedRow | None:
        values = entry.values
        name = _take(values, FILE_COLUMNS)
        if not isinstance(name, str) or not name:
            rule = "must name an audio file, relative to the metadata"
            log.fault(entry.file, entry.line, f"{rule}, but is {json.dumps(name)}.", field="file_name")
            return None
        file = entry.file.parent / name
        relative = _below(file, source)
        label = _take(values, LABEL_COLUMNS if self.label_column is None else [self.label_column])
        transcript = _take(values, TEXT_COLUMNS if self.transcript_column is None else [self.transcript_column])
        speaker = _take(values, SPEAKER_COLUMNS if self.speaker_column is None else [self.speaker_column])
        return ImportedRow(
            utterance_id=str(values.pop("utterance_id", "") or "_".join(relative.with_suffix("").parts)),
            speaker_id=None if speaker is None else str(speaker),
            audio=file,
            transcript=None if transcript is None else str(transcript),
            label=None if label is None else str(label),
            soft_label=_soft_label(values.pop(SOFT_LABEL_COLUMN, None)),
            corpus=str(values.pop("corpus", None) or corpus),
            place=f"{entry.file}:{entry.line}",
            split=_split(relative),
            metadata={f"source_{name}" if name in _RESERVED else name: value for name, value in values.items()},
        )


def _take(values: dict[str, Any], names: Sequence[str]) -> Any:
    """The first of these columns that there is; it is taken out."""
    name = next((name for name in names if name in values), None)
    return None if name is None else values.pop(name)


def _soft_label(value: Any) -> Mapping[str, float] | None:
    """A soft label; in a table it is JSON. Labels that the hub's own tools filled in with null are left out."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return {value: -1.0}  # no object: the checks of the writer refuse it and name the field
    if not isinstance(value, dict):
        return None
    return {label: share for label, share in value.items() if share is not None}


def _entries(path: Path, log: ImportLog) -> Iterator[_Entry]:
    if path.suffix == ".csv":
        table = read_table(path, log=log)
        table.column("the audio file", FILE_COLUMNS)
        for row in table.rows:
            yield _Entry(file=path, line=row.line, values={name: text for name, text in row.cells.items() if text})
        return
    faults: list[tuple[int, str, str]] = []
    for line in iterate_lines(path, lambda line, fault: faults.append((line, fault.message, fault.remedy)), shown=path):
        try:
            yield _Entry(file=path, line=line.number, values=decode_row(line.raw))
        except RowFaultError as error:
            faults.append((line.number, error.fault.message, error.fault.remedy))
    for number, message, remedy in faults:
        log.fault(path, number, message, remedy=remedy)


def _below(file: Path, source: Path) -> Path:
    return file.relative_to(source) if file.is_relative_to(source) else Path(file.name)


def _split(relative: Path) -> str:
    return next((split for part in relative.parts[:-1] if (split := split_of(part))), "")


def _unnamed(source: Path, file: Path, corpus: str) -> ImportedRow:
    relative = file.relative_to(source)
    folder = relative.parts[-2] if len(relative.parts) > 1 else ""
    return ImportedRow(
        utterance_id="_".join(relative.with_suffix("").parts),
        speaker_id=None,
        audio=file,
        transcript=None,
        label=None if not folder or split_of(folder) else folder,
        corpus=corpus,
        place=str(file),
        split=_split(relative),
    )
