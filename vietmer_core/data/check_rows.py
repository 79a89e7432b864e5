"""The first half of `vietmer data check`: every line, and the segments that the second half decodes. Torch-free."""

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.check_report import FindingLog
from vietmer_core.data.faults import Fault
from vietmer_core.data.index import DecodedRow, Place, SourceFile, decoded_rows, duplicates
from vietmer_core.data.labels import RowRules
from vietmer_core.data.lines import Line
from vietmer_core.data.rows import resolve_path
from vietmer_core.errors import DataError


@attrs.frozen(kw_only=True, eq=False)
class Segments:
    """Columns `(segments,)` of the rows that have audio.

    Attributes:
        source: Number of the manifest.
        line: Line in it.
        recording: Position in `paths`.
        start: s; 0 where it is null.
        end: s; NaN where it is null.
        speaker: Position in `speakers`, -1 where unknown.
        channel: A code for the metadata field `channel`; rows of one recording without it share one.
        paths: Every recording once.
        speakers: Every speaker once.
    """

    source: NDArray[np.int16]
    line: NDArray[np.int32]
    recording: NDArray[np.int32]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    speaker: NDArray[np.int32]
    channel: NDArray[np.int32]
    paths: tuple[str, ...]
    speakers: tuple[str, ...]


class RowScan:
    """Reads the manifests once; faults go to the log, segments into columns."""

    def __init__(self, sources: Sequence[SourceFile], log: FindingLog, *, needed: frozenset[str]) -> None:
        self.num_rows = 0
        self._sources = sources
        self._log = log
        self._needed = needed
        self._paths: list[str] = []
        self._codes: dict[str, int] = {}
        self._real_paths: dict[str, int] = {}
        self._speakers: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._source, self._line, self._recording = array("h"), array("i"), array("i")
        self._start, self._end, self._speaker, self._channel = array("d"), array("d"), array("i"), array("i")
        self._hashes, self._id_places = array("q"), array("q")

    def read(self) -> Segments:
        """Read every manifest."""
        for number, source in enumerate(self._sources):
            self._read_source(number, source)
        self._report_duplicates()
        return Segments(
            source=np.array(self._source, dtype=np.int16),
            line=np.array(self._line, dtype=np.int32),
            recording=np.array(self._recording, dtype=np.int32),
            start=np.array(self._start, dtype=np.float64),
            end=np.array(self._end, dtype=np.float64),
            speaker=np.array(self._speaker, dtype=np.int32),
            channel=np.array(self._channel, dtype=np.int32),
            paths=tuple(self._paths),
            speakers=tuple(self._speakers),
        )

    def _read_source(self, number: int, source: SourceFile) -> None:
        lines_before, faults_before = self.num_rows, len(self._log)

        def report(line: int, fault: Fault) -> None:
            self._log.add(number, line, fault)

        try:
            for row in decoded_rows(source, report):
                self.num_rows += 1
                self._read_row(number, row, source)
        except DataError as error:
            report(0, Fault(code="unreadable-manifest", message=str(error)))
        if self.num_rows == lines_before and len(self._log) == faults_before:
            remedy = "Check that it was written to its end."
            report(0, Fault(code="empty-manifest", message="the manifest holds no line.", remedy=remedy))

    def _read_row(self, number: int, row: DecodedRow, source: SourceFile) -> None:
        """Look at whatever part of a row is sound."""
        line, fields = row.line, row.fields
        faulty = {fault.field for fault in row.faults}
        if "utterance_id" not in faulty:
            self._hashes.append(hash(fields["utterance_id"]))
            self._id_places.extend((number, line.number, line.offset, len(line.raw)))
        if source.rules.is_left_out(fields):
            return
        for fault in absences(fields, source.rules, faulty=faulty, needed=self._needed):
            error = fault.code.removeprefix("absent-") in self._needed
            self._log.add(number, line.number, fault, error=error)
        if not faulty & {"wav_path", "start", "end"} and fields["wav_path"] is not None:
            self._append(number, line, fields, source)

    def _append(self, number: int, line: Line, row: Mapping[str, Any], source: SourceFile) -> None:
        self._source.append(number)
        self._line.append(line.number)
        self._recording.append(self._recording_code(resolve_path(row["wav_path"], source.folder)))
        self._start.append(row["start"] or 0.0)
        self._end.append(np.nan if row["end"] is None else row["end"])
        speaker = row.get("speaker_id")
        self._speaker.append(
            -1 if not isinstance(speaker, str) else self._speakers.setdefault(speaker, len(self._speakers))
        )
        channel = repr(row.get("channel"))
        self._channel.append(self._channels.setdefault(channel, len(self._channels)))

    def _recording_code(self, path: str) -> int:
        """One code for each file, however its path is written."""
        code = self._codes.get(path)
        if code is None:
            code = self._real_paths.setdefault(os.path.realpath(path), len(self._paths))
            if code == len(self._paths):
                self._paths.append(path)
            self._codes[path] = code
        return code

    def _report_duplicates(self) -> None:
        places = np.array(self._id_places, dtype=np.int64).reshape(-1, 4)  # (rows, source line offset bytes)

        def locate(position: int) -> Place:
            number, line, offset, num_bytes = (int(value) for value in places[position])
            return Place(number, line, offset, num_bytes)

        for place, fault in duplicates(np.array(self._hashes, dtype=np.int64), self._sources, locate):
            self._log.add(place.source, place.line, fault)


def absences(
    fields: Mapping[str, Any], rules: RowRules, *, faulty: AbstractSet[str], needed: AbstractSet[str]
) -> Iterator[Fault]:
    """What a row lacks, as far as the fields in question are sound."""
    text = fields.get("transcript")
    lacks_audio = "wav_path" not in faulty and fields["wav_path"] is None
    lacks_text = "transcript" not in faulty and not (text and text.strip())
    if lacks_audio and lacks_text:
        remedy = "Remove the row, or give it a `wav_path` or a `transcript`."
        yield Fault(code="no-modality", message="the row has neither audio nor a transcript.", remedy=remedy)
    elif lacks_audio:
        yield Fault(code="absent-audio", field="wav_path", message="the row has no audio.")
    elif lacks_text:
        kind = "null" if text is None else "empty"
        yield Fault(code="absent-text", field="transcript", message=f"the transcript is {kind}.")
    if not rules.has_label(fields) and (rules.labels is not None or "label" in needed):
        yield Fault(code="absent-label", field=rules.label_field, message="the row has no label.")
