"""VLSP's sentiment tasks: comments of 2016 by polarity, reviews of 2018 by aspect; text alone. Torch-free.

Nguyen et al., VLSP shared task: sentiment analysis, Journal of Computer Science and Cybernetics 34(4), 2018.

2016: `SA2016-training_data/SA-training_positive.txt`, `…_negative.txt`, `…_neutral.txt`, comments apart by an empty
line, and `SA2016-TestData-Ans/test_raw_ANS.txt`, a comment and then POS, NEG or NEU on a line of its own. The folders
with `-ws` and the files with `tokenized` hold the same comments in words and are not read. Read so by languageflow and
by SEACrowd's `vlsp2016_sa`.

2018: `1-VLSP2018-SA-Hotel-train (7-3-2018).txt`, likewise `2-…-dev`, `3-…-test`, and Restaurant: `#1`, the review, and
`{ROOMS#CLEANLINESS, positive}, {…}`, blocks apart by an empty line (ds4v/absa-vlsp-2018). A review's own label is the
polarity of its aspects where they agree, else `mixed`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.errors import DataError
from vietmer_corpora.files import files_below, require_folder
from vietmer_corpora.splits import split_of
from vietmer_corpora.texts import read_text

POLARITIES: Final[Mapping[str, str]] = {"POS": "positive", "NEG": "negative", "NEU": "neutral"}
MIXED: Final = "mixed"
_TRAINING: Final = re.compile(r"SA-training_(?P<polarity>positive|negative|neutral)", re.IGNORECASE)
_TEST: Final = re.compile(r"test_raw_ANS", re.IGNORECASE)
_REVIEWS: Final = re.compile(r"\d-VLSP2018-SA-(?P<domain>Hotel|Restaurant)-(?P<split>train|dev|test).*", re.IGNORECASE)
_ASPECT: Final = re.compile(
    r"\{\s*(?P<aspect>[^{},]+?)\s*,\s*(?P<polarity>positive|negative|neutral)\s*\}", re.IGNORECASE
)

Lines = Sequence[tuple[int, str]]
"""Lines of a file with their numbers."""


@final
@attrs.frozen(kw_only=True)
class VlspImporter:
    """`importer: vlsp`."""

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each comment or review of every file whose name is that of a task.

        Raises:
            DataError: where no such file is found.
        """
        require_folder(source, "the one that holds the files of the task")
        found = False
        for file in files_below(source, frozenset({".txt"})):
            rows = _reader(file, log)
            if rows is not None:
                found = True
                yield from rows
        if not found:
            names = "`SA-training_positive.txt`, `test_raw_ANS.txt` or `1-VLSP2018-SA-Hotel-train.txt`"
            raise DataError(f"`{source}` holds no file of a VLSP sentiment task, such as {names}.")


def _reader(file: Path, log: ImportLog) -> Iterator[ImportedRow] | None:
    if match := _TRAINING.fullmatch(file.stem):
        return _comments(file, match["polarity"].lower())
    if _TEST.fullmatch(file.stem):
        return _answers(file, log)
    if match := _REVIEWS.fullmatch(file.stem):
        return _reviews(file, match["domain"].lower(), split_of(match["split"]), log)
    return None


def _blocks(file: Path) -> Iterator[Lines]:
    """Runs of lines that hold something."""
    lines = enumerate(read_text(file).replace("\xa0", " ").splitlines(), start=1)
    for holds, group in groupby(((number, line.strip()) for number, line in lines), key=lambda line: bool(line[1])):
        if holds:
            yield list(group)


def _text(lines: Lines) -> str:
    return " ".join(line for _, line in lines)


def _row(file: Path, line: int, number: int, text: str, label: str, *, corpus: str, split: str) -> ImportedRow:
    return ImportedRow(
        utterance_id=f"{corpus}_{split}_{label + '_' if split == 'train' and corpus == 'vlsp2016' else ''}{number:05d}",
        speaker_id=None,
        audio=None,
        transcript=text,
        label=label,
        corpus=corpus,
        place=f"{file}:{line}",
        split=split,
    )


def _comments(file: Path, polarity: str) -> Iterator[ImportedRow]:
    """A comment is a block; where no empty line stands between two, it is a line."""
    blocks = list(_blocks(file))
    if len(blocks) == 1:
        blocks = [[line] for line in blocks[0]]
    for number, block in enumerate(blocks):
        yield _row(file, block[0][0], number, _text(block), polarity, corpus="vlsp2016", split="train")


def _answers(file: Path, log: ImportLog) -> Iterator[ImportedRow]:
    comment: list[tuple[int, str]] = []
    number = 0
    for line in (line for block in _blocks(file) for line in block):
        if line[1] not in POLARITIES:
            comment.append(line)
            continue
        if not comment:
            log.fault(file, line[0], f"`{line[1]}` follows no comment.")
            continue
        label = POLARITIES[line[1]]
        yield _row(file, comment[0][0], number, _text(comment), label, corpus="vlsp2016", split="test")
        number, comment = number + 1, []
    if comment:
        remedy = f"A line with {', '.join(POLARITIES)} must follow it."
        log.fault(file, comment[0][0], "the comment has no polarity.", remedy=remedy)


def _reviews(file: Path, domain: str, split: str, log: ImportLog) -> Iterator[ImportedRow]:
    lines = [line for block in _blocks(file) for line in block]
    starts = [position for position, (_, text) in enumerate(lines) if re.fullmatch(r"#\d+", text)]
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        block = lines[start:stop]
        aspects = [match for _, text in block[2:] if text.startswith("{") for match in _ASPECT.finditer(text)]
        words = [line for line in block[1:] if not line[1].startswith("{")]
        if not aspects or not words:
            lacks = "aspect with its polarity" if words else "text"
            remedy = "A review is `#1`, its text, and `{ASPECT, polarity}, …`."
            log.fault(file, block[0][0], f"the review {block[0][1]} has no {lacks}.", remedy=remedy)
            continue
        found = [{"aspect": match["aspect"], "polarity": match["polarity"].lower()} for match in aspects]
        polarities = {aspect["polarity"] for aspect in found}
        label = polarities.pop() if len(polarities) == 1 else MIXED
        number = int(block[0][1].removeprefix("#"))
        row = _row(file, block[0][0], number, _text(words), label, corpus=f"vlsp2018_{domain}", split=split)
        yield attrs.evolve(row, metadata={"aspects": found})
