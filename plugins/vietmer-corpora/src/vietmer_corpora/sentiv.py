"""SentiV: `text-training/train.xlsx`, `voice-training/label/`, `voice-training/label-text/`. Torch-free.

The card of ducdatit2002/sentiv on the hub (a gated model repository, CC BY-NC 4.0) gives these folders and the labels:
anger, disgust, enjoyment, fear, neutral, sadness, surprise for text; for speech the same without disgust, which was
merged into anger. **The files could not be seen**: the names of their columns are not known, so the usual ones are
tried and others can be named, and a table without a column that fits is refused with the columns it has. The repository
holds the labels of the speech, not the speech: `audio` says where that is.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.errors import DataError
from vietmer_corpora.files import AUDIO_SUFFIXES, files_below, require_folder
from vietmer_corpora.splits import split_of
from vietmer_corpora.tables import SUFFIXES, TableRow, read_table

EMOTIONS: Final = frozenset({"anger", "disgust", "enjoyment", "fear", "neutral", "sadness", "surprise"})
TEXT_COLUMNS: Final = ("text", "sentence", "comment", "content", "transcript")
LABEL_COLUMNS: Final = ("label", "emotion")
FILE_COLUMNS: Final = ("file_name", "filename", "file", "path", "audio", "wav", "name")


@final
@attrs.frozen(kw_only=True)
class SentivImporter:
    """`importer: sentiv`.

    Attributes:
        part: Which part is read.
        audio: Folder of the recordings; the corpus's own by default.
        text_column: Column of the sentence, where it is called otherwise.
        label_column: That of the label.
        file_column: That of the audio file.
    """

    part: Literal["both", "text", "speech"] = "both"
    audio: Path | None = None
    text_column: str | None = None
    label_column: str | None = None
    file_column: str | None = None

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """The sentences, then the clips.

        Raises:
            DataError: where a part is not there, or a table lacks a column.
        """
        require_folder(source, "the one that holds `text-training` and `voice-training`")
        if self.part != "speech":
            files = _tables(source, "text-training")
            splits = {split_of(file.stem) for file in files}
            for file in files:
                yield from self._sentences(file, split_of(file.stem) if len(splits) > 1 else "", log)
        if self.part != "text":
            yield from self._clips(source, log)

    def _sentences(self, file: Path, split: str, log: ImportLog) -> Iterator[ImportedRow]:
        table = read_table(file, log=log)
        text_column = table.column("the sentence", TEXT_COLUMNS, given=self.text_column)
        label_column = table.column("the label", LABEL_COLUMNS, given=self.label_column)
        for position, row in enumerate(table.rows):
            label = _label(row, label_column, log)
            if label is None:
                continue
            if not row.cells[text_column]:
                log.skip("rows without a sentence")
                continue
            yield ImportedRow(
                utterance_id=f"sentiv_{file.stem}_{position:06d}",
                speaker_id=None,
                audio=None,
                transcript=row.cells[text_column],
                label=label,
                corpus="sentiv_text",
                place=row.place,
                split=split,
            )

    def _clips(self, source: Path, log: ImportLog) -> Iterator[ImportedRow]:
        files = _tables(source, "voice-training", "label")
        root = self.audio or source
        audio = {path.stem: path for path in files_below(root, AUDIO_SUFFIXES)}
        if not audio:
            raise DataError(
                f"`{root}` holds no audio file, but `voice-training/label` labels some. Name their folder with "
                "`--set audio=FOLDER`, or read the text alone with `--set part=text`."
            )
        transcripts = self._transcripts(source, log)
        splits = {split_of(file.stem) for file in files}
        for file in files:
            table = read_table(file, log=log)
            file_column = table.column("the audio file", FILE_COLUMNS, given=self.file_column)
            label_column = table.column("the label", LABEL_COLUMNS, given=self.label_column)
            for row in table.rows:
                label = _label(row, label_column, log)
                stem = _stem(row.cells[file_column])
                if label is not None:
                    yield ImportedRow(
                        utterance_id=f"sentiv_{stem}",
                        speaker_id=None,
                        audio=audio.get(stem, root / row.cells[file_column]),
                        transcript=transcripts.get(stem),
                        label=label,
                        corpus="sentiv_speech",
                        place=row.place,
                        split=split_of(file.stem) if len(splits) > 1 else "",
                    )

    def _transcripts(self, source: Path, log: ImportLog) -> dict[str, str]:
        """Clip → its transcript, from `voice-training/label-text` where that is there."""
        folder = source / "voice-training" / "label-text"
        found: dict[str, str] = {}
        for file in files_below(folder, SUFFIXES) if folder.is_dir() else ():
            table = read_table(file, log=log)
            file_column = table.column("the audio file", FILE_COLUMNS, given=self.file_column)
            text_column = table.column("the transcript", TEXT_COLUMNS, given=self.text_column)
            found |= {_stem(row.cells[file_column]): row.cells[text_column] for row in table.rows}
        return {stem: text for stem, text in found.items() if text}


def _tables(source: Path, *parts: str) -> Sequence[Path]:
    folder = source.joinpath(*parts)
    files = list(files_below(folder, SUFFIXES)) if folder.is_dir() else []
    if not files:
        raise DataError(f"`{folder}` holds no table (.xlsx or .csv). Name the folder of SentiV, or another `part`.")
    return files


def _stem(name: str) -> str:
    return Path(name.replace("\\", "/")).stem


def _label(row: TableRow, column: str, log: ImportLog) -> str | None:
    label = row.cells[column].lower()
    if label in EMOTIONS:
        return label
    message = f"must be one of {', '.join(sorted(EMOTIONS))}, but is `{row.cells[column]}`."
    log.fault(row.path, row.line, message, field=column)
    return None
