"""UIT-VSMEC: `train_nor_811.xlsx`, `valid_nor_811.xlsx`, `test_nor_811.xlsx`; text alone. Torch-free.

Ho et al., Emotion recognition for Vietnamese social media text, PACLING 2019; 6,927 sentences, seven labels. Each
workbook has a column without a name (numbers that repeat), `Emotion` and `Sentence`; CSV copies keep the last two
names. The three files are the split of the authors, 8:1:1. Nothing tells who wrote a sentence.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.errors import DataError
from vietmer_corpora.files import files_below
from vietmer_corpora.splits import split_of
from vietmer_corpora.tables import SUFFIXES, read_table

EMOTIONS: Final = frozenset({"anger", "disgust", "enjoyment", "fear", "other", "sadness", "surprise"})


@final
@attrs.frozen(kw_only=True)
class VsmecImporter:
    """`importer: vsmec`."""

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each sentence.

        Raises:
            DataError: where no table is found, or one lacks a column.
        """
        files = [source] if source.is_file() else list(files_below(source, SUFFIXES))
        if not files or files[0].suffix.lower() not in SUFFIXES:
            raise DataError(f"`{source}` is, or holds, no table (.xlsx or .csv), such as `train_nor_811.xlsx`.")
        for file in files:
            table = read_table(file, log=log)
            text_column = table.column("the sentence", ("Sentence", "sentence_clean", "text"))
            label_column = table.column("the label", ("Emotion", "label"))
            split = split_of(file.stem)
            for position, row in enumerate(table.rows):
                text, label = row.cells[text_column], row.cells[label_column].lower()
                if label not in EMOTIONS:
                    message = f"must be one of {', '.join(sorted(EMOTIONS))}, but is `{row.cells[label_column]}`."
                    log.fault(row.path, row.line, message, field=label_column)
                elif not text:
                    log.skip("rows without a sentence")
                else:
                    yield ImportedRow(
                        utterance_id=f"vsmec_{split or file.stem}_{position:05d}",
                        speaker_id=None,
                        audio=None,
                        transcript=text,
                        label=label,
                        corpus="vsmec",
                        place=row.place,
                        split=split,
                    )
