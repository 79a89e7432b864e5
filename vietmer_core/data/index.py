"""The index of a split: where each row stands and how large it is, in numpy columns; no object per row. Torch-free."""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.audio import AudioAccessError, AudioInfo, audio_info
from vietmer_core.data.faults import Fault, ProblemLog
from vietmer_core.data.labels import RowRules
from vietmer_core.data.lines import Line, RowFaultError, decode_row, iterate_lines
from vietmer_core.data.rows import count_words, find_faults, resolve_path
from vietmer_core.errors import DataError

_CACHED_HEADERS: Final = 4096


@attrs.frozen(kw_only=True)
class SourceFile:
    """One manifest of a split, ready to be read.

    Attributes:
        shown: The path as the user wrote it, for messages.
        path: The absolute path.
        folder: Absolute folder that a relative `wav_path` starts from.
        rules: What its rows must keep.
    """

    shown: Path
    path: Path
    folder: str
    rules: RowRules


@attrs.frozen(kw_only=True, eq=False)
class RowIndex:
    """Columns `(utterances,)`: source and line number, byte offset and length, sizes, label and speaker codes."""

    source: NDArray[np.int16]
    line: NDArray[np.int32]
    offset: NDArray[np.int64]
    num_bytes: NDArray[np.int32]
    seconds: NDArray[np.float32]
    words: NDArray[np.int32]
    label: NDArray[np.int32]
    speaker: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offset)


class IndexBuilder:
    """Reads manifests line by line into growing columns; faulty rows go to the log."""

    def __init__(self, sources: Sequence[SourceFile], *, log: ProblemLog) -> None:
        self.labels: Final[dict[str, int]] = {}
        self.speakers: Final[dict[str, int]] = {}
        self.num_left_out = 0
        self.num_soft = 0
        self._sources = sources
        self._log = log
        self._id_hashes = array("q")
        self._source, self._line, self._offset, self._num_bytes = array("h"), array("i"), array("q"), array("i")
        self._seconds, self._words = array("f"), array("i")
        self._label, self._speaker = array("i"), array("i")
        self._info = lru_cache(_CACHED_HEADERS)(audio_info)

    def read(self) -> RowIndex:
        """Read every source once.

        Raises:
            DataError: where a source cannot be opened as text.
        """
        for number, source in enumerate(self._sources):
            self._read_source(number, source)
        index = RowIndex(
            source=np.array(self._source, dtype=np.int16),
            line=np.array(self._line, dtype=np.int32),
            offset=np.array(self._offset, dtype=np.int64),
            num_bytes=np.array(self._num_bytes, dtype=np.int32),
            seconds=np.array(self._seconds, dtype=np.float32),
            words=np.array(self._words, dtype=np.int32),
            label=np.array(self._label, dtype=np.int32),
            speaker=np.array(self._speaker, dtype=np.int32),
        )
        self._log_duplicates(index)
        return index

    def _read_source(self, number: int, source: SourceFile) -> None:
        def report(line: int, fault: Fault) -> None:
            self._log.add(source.shown, line, fault)

        for line, row, faults in decoded_rows(source, report):
            if faults:
                continue
            if source.rules.is_left_out(row):
                self.num_left_out += 1
                continue
            try:
                seconds = duration_of(row, source.folder, self._info)
            except RowFaultError as error:
                report(line.number, error.fault)
                continue
            self.num_soft += source.rules.has_soft_label(row)
            self._append(number, line, row, source.rules.label_of(row), seconds)

    def _append(self, number: int, line: Line, row: Mapping[str, Any], label: str | None, seconds: float) -> None:
        self._source.append(number)
        self._line.append(line.number)
        self._offset.append(line.offset)
        self._num_bytes.append(len(line.raw))
        self._seconds.append(seconds)
        self._words.append(count_words(row["transcript"]))
        self._label.append(-1 if label is None else self.labels.setdefault(label, len(self.labels)))
        speaker = row["speaker_id"]
        self._speaker.append(-1 if speaker is None else self.speakers.setdefault(speaker, len(self.speakers)))
        self._id_hashes.append(hash(row["utterance_id"]))

    def _log_duplicates(self, index: RowIndex) -> None:
        def locate(row: int) -> Place:
            columns = (index.source, index.line, index.offset, index.num_bytes)
            return Place(*(int(column[row]) for column in columns))

        for place, fault in duplicates(np.array(self._id_hashes, dtype=np.int64), self._sources, locate):
            self._log.add(self._sources[place.source].shown, place.line, fault)


class Place(NamedTuple):
    """Where a row stands: number of the source, line, byte offset and length in bytes."""

    source: int
    line: int
    offset: int
    num_bytes: int


def duplicates(
    hashes: NDArray[np.int64], sources: Sequence[SourceFile], locate: Callable[[int], Place]
) -> Iterator[tuple[Place, Fault]]:
    """Every row whose id already stands at another; only rows of equal hash are read again and compared."""
    for group in equal_groups(hashes):
        first: dict[str, str] = {}
        for position in group:
            place = locate(position)
            source = sources[place.source]
            name = read_row(source, place.offset, place.num_bytes)["utterance_id"]
            if name in first:
                yield place, _duplicate_fault(name, first[name])
            else:
                first[name] = f"{source.shown}:{place.line}"


def _duplicate_fault(utterance_id: str, place: str) -> Fault:
    return Fault(
        code="duplicate-id",
        field="utterance_id",
        message=f"`{utterance_id}` already stands at {place}.",
        remedy="Give every utterance of a split an id of its own.",
    )


def equal_groups(hashes: NDArray[np.int64]) -> Iterator[list[int]]:
    """The positions of each hash that occurs more than once, ascending, in the order of first occurrence."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    repeats = np.flatnonzero(ordered[1:] == ordered[:-1])
    starts = np.unique(np.searchsorted(ordered, ordered[repeats], side="left"))
    for start in sorted(starts, key=lambda start: order[start]):
        stop = np.searchsorted(ordered, ordered[start], side="right")
        yield [int(position) for position in order[start:stop]]


class DecodedRow(NamedTuple):
    """One row of a manifest: its line, its fields and the faults that show in it alone."""

    line: Line
    fields: dict[str, Any]
    faults: list[Fault]


def decoded_rows(source: SourceFile, report: Callable[[int, Fault], None]) -> Iterator[DecodedRow]:
    """The rows of a manifest, sound or not; their faults and those of lines without a row go to `report(line, fault)`.

    Raises:
        DataError: where the file cannot be opened as text.
    """
    for line in iterate_lines(source.path, report, shown=source.shown):
        try:
            fields = decode_row(line.raw)
        except RowFaultError as error:
            report(line.number, error.fault)
            continue
        faults = find_faults(fields, source.rules)
        for fault in faults:
            report(line.number, fault)
        yield DecodedRow(line, fields, faults)


def duration_of(row: Mapping[str, Any], folder: str, info: Callable[[str], AudioInfo]) -> float:
    """Duration of a sound row's segment, s; 0 where it has no audio. The header is read only where `end` is null.

    Raises:
        RowFaultError: where the header is needed and the file cannot be read or ends before `start`.
    """
    if row["wav_path"] is None:
        return 0.0
    start, end = row["start"] or 0.0, row["end"]
    if end is not None:
        return float(end - start)
    path = resolve_path(row["wav_path"], folder)
    try:
        duration = info(path).duration
    except DataError as error:
        code = "missing-file" if isinstance(error, AudioAccessError) else "undecodable-file"
        raise RowFaultError(Fault(code=code, field="wav_path", message=str(error))) from None
    if start >= duration:
        message = f"the segment starts at {start:.6g} s, but `{path}` lasts only {duration:.6g} s."
        raise RowFaultError(Fault(code="past-the-end", field="start", message=message))
    return float(duration - start)


def read_row(source: SourceFile, offset: int, num_bytes: int) -> dict[str, Any]:
    """One row by its place in the file; the file is opened anew, so threads, forks and spawned workers are alike."""
    with source.path.open("rb") as stream:
        return read_row_from(stream, offset, num_bytes)


def read_row_from(stream: BinaryIO, offset: int, num_bytes: int) -> dict[str, Any]:
    """One row by its place in an open file."""
    stream.seek(offset)
    return decode_row(stream.read(num_bytes))
