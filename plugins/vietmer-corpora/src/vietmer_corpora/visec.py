"""ViSEC: a folder with `data.csv` and `wav/`, or the parquet files of the hub with the audio inside. Torch-free.

Pham et al., A robust pitch-fusion model for speech emotion recognition in tonal languages, ICASSP 2024. The README of
its repository (thanhpv2102/ViSEC) says that `visec.zip` has a folder `wav` and that `data.csv` has the labels; its
training scripts read the columns `path` and `emotion_id`. The hub's card (hustep-lab/ViSEC) shows `speaker_id` (0 to
146), `path` (audio), `duration`, `accent` (north, mid, south), `emotion`, `emotion_id` and `gender`, in that order, and
one split named train. That `data.csv` has the same columns is inferred: the file itself could not be seen. Speaker 0
stands beside both genders and all accents: it means that the speaker is not known.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

import attrs

from vietmer_core.data.importing import AudioBytes, ImportedRow, ImportLog
from vietmer_core.errors import DataError
from vietmer_corpora.files import AUDIO_SUFFIXES, files_below
from vietmer_corpora.parquet import audio_of, parquet_files, parquet_rows
from vietmer_corpora.tables import Table, TableRow, read_table

EMOTIONS: Final = ("happy", "neutral", "sad", "angry")
"""Its labels in the order of `emotion_id`."""
ACCENTS: Final[Mapping[str, str]] = {"north": "northern", "mid": "central", "south": "southern"}
UNKNOWN_SPEAKER: Final = "0"
FILE_COLUMNS: Final = ("path", "file_name", "filename", "file", "wav", "audio", "name")
_OWN_COLUMNS: Final = frozenset({"speaker_id", "path", "duration", "accent", "emotion", "emotion_id", "gender"})


@final
@attrs.frozen(kw_only=True)
class VisecImporter:
    """`importer: visec`.

    Attributes:
        file_column: Column of `data.csv` that names the audio file, where it is called otherwise.
    """

    file_column: str | None = None

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each clip, in the order of the table.

        Raises:
            DataError: where there is neither a `data.csv` nor a parquet file.
        """
        table = _table_of(source)
        if table is not None:
            yield from self._from_table(read_table(table, log=log), log)
            return
        parquet = parquet_files(source)
        if not parquet:
            raise DataError(f"`{source}` holds neither `data.csv` nor a parquet file. Name the folder of ViSEC.")
        number = 0
        for file in parquet:
            for line, row in parquet_rows(file, needed=("emotion", "speaker_id")):
                found = _from_hub(file, line, row, number, log)
                number += 1
                if found is not None:
                    yield found

    def _from_table(self, table: Table, log: ImportLog) -> Iterator[ImportedRow]:
        file_column = table.column("the audio file", FILE_COLUMNS, given=self.file_column)
        for wanted in ("emotion", "speaker_id"):
            if wanted == "speaker_id" or table.optional(["emotion_id"]) is None:
                table.column(f"the {wanted.removesuffix('_id')}", [wanted])
        audio = {path.name: path for path in files_below(table.path.parent, AUDIO_SUFFIXES)}
        for row in table.rows:
            name = Path(row.cells[file_column].replace("\\", "/")).name
            if not name:
                log.fault(row.path, row.line, "the row names no audio file.", field=file_column)
                continue
            values = {column.casefold(): text for column, text in row.cells.items()}
            label = _label(values, row, log)
            if label is not None:
                file = audio.get(name, table.path.parent / "wav" / name)
                yield _row(f"visec_{Path(name).stem}", file, label, values, row.place)


def _table_of(source: Path) -> Path | None:
    if source.is_file():
        return source if source.suffix.lower() == ".csv" else None
    return next((path for path in files_below(source, frozenset({".csv"})) if path.name.lower() == "data.csv"), None)


def _from_hub(file: Path, line: int, row: Mapping[str, Any], number: int, log: ImportLog) -> ImportedRow | None:
    values = {name: "" if value is None else str(value) for name, value in row.items() if name != "path"}
    place = TableRow(path=file, line=line, cells=values)
    label = _label(values, place, log)
    audio = audio_of(row.get("path", row.get("audio")))
    if audio is None:
        log.fault(file, line, "the row holds no audio bytes.", remedy="Fetch the parquet files with their audio.")
    if label is None or audio is None:
        return None
    name, content = audio
    stem = Path(name).stem if name else f"{number:05d}"
    return _row(f"visec_{stem}", content, label, values, place.place)


def _label(values: Mapping[str, str], row: TableRow, log: ImportLog) -> str | None:
    """The label of a row, from its name or its number, which must agree; None where it is at fault."""
    name, number = values.get("emotion", "").lower(), values.get("emotion_id", "")
    if number and (not number.isdecimal() or int(number) >= len(EMOTIONS)):
        message = f"must be a number from 0 to {len(EMOTIONS) - 1}, but is `{number}`."
        log.fault(row.path, row.line, message, field="emotion_id")
        return None
    numbered = EMOTIONS[int(number)] if number else name
    name = name or numbered
    if name not in EMOTIONS:
        message = f"must be one of {', '.join(EMOTIONS)}, but is `{name}`."
        log.fault(row.path, row.line, message, field="emotion")
        return None
    if name != numbered:
        message = f"`{name}` has the number {EMOTIONS.index(name)}, but `emotion_id` is {number}."
        log.fault(row.path, row.line, message, remedy="Correct one of them.", field="emotion")
        return None
    return name


def _row(utterance_id: str, audio: Path | AudioBytes, label: str, values: Mapping[str, str], place: str) -> ImportedRow:
    speaker = values.get("speaker_id", "")
    metadata: dict[str, Any] = {}
    if values.get("gender"):
        metadata["gender"] = values["gender"].lower()
    if values.get("accent"):
        metadata["accent"] = ACCENTS.get(values["accent"].lower(), values["accent"].lower())
    further = {name: value for name, value in values.items() if name not in _OWN_COLUMNS and name not in FILE_COLUMNS}
    return ImportedRow(
        utterance_id=utterance_id,
        speaker_id=None if speaker in ("", UNKNOWN_SPEAKER) else f"visec_{speaker}",
        audio=audio,
        transcript=None,
        label=label,
        corpus="visec",
        place=place,
        metadata={**metadata, **{name: value for name, value in further.items() if name and value}},
    )
