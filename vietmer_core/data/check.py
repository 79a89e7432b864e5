"""`vietmer data check`: every line of a split and every recording, decoded once. Torch-free.

Memory grows with the number of rows (150 bytes each at the peak, measured at a million), of distinct recordings and of
findings, never with the length of the audio.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.audio import END_TOLERANCE_SECONDS, SegmentError, frame_bounds
from vietmer_core.data.check_recording import RecordingCheck, check_recording
from vietmer_core.data.check_report import CheckReport, FindingLog
from vietmer_core.data.check_rows import RowScan, Segments
from vietmer_core.data.faults import Fault
from vietmer_core.data.manifest import ManifestSource, source_files
from vietmer_core.data.silence import LEAVE_OUT_AUDIO, EqualSpan, silence_sentence

Progress = Callable[[int, int], None]
"""Called with the number of recordings decoded and of all."""

MIN_OVERLAP_SECONDS: Final = END_TOLERANCE_SECONDS
"""Turns that touch within the rounding of their times do not overlap."""


def check_split(
    sources: Sequence[ManifestSource],
    *,
    label_field: str = "emotion",
    soft_label_field: str | None = None,
    labels: Sequence[str] | None = None,
    needed: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> CheckReport:
    """Check manifests as one split.

    Args:
        sources: The manifests; an utterance id stands once in all of them together.
        label_field: The field that holds the label.
        soft_label_field: The field that holds a soft label, or None to read none.
        labels: The label space, or None where any label will do.
        needed: `audio`, `text`, `label`: what every row must have, on pain of an error instead of a warning.
        progress: Told after each recording.

    Raises:
        DataError: where no manifest is named, one is named twice, or a field for labels has another use.
    """
    files = source_files(
        sources, label_field=label_field, soft_label_field=soft_label_field, labels=labels, require_labels=False
    )
    log = FindingLog()
    scan = RowScan(files, log, needed=needed)
    segments = scan.read()
    durations, seconds = _check_recordings(segments, log, progress)
    _report_overlaps(segments, durations, log, [file.shown for file in files])
    return CheckReport(
        files=tuple(file.shown for file in files),
        findings=log.in_order(),
        num_rows=scan.num_rows,
        num_recordings=len(segments.paths),
        seconds=seconds,
    )


def _check_recordings(
    segments: Segments, log: FindingLog, progress: Progress | None
) -> tuple[NDArray[np.float64], float]:
    """Decode each recording once; its duration `(recordings,)`, s, infinite where it cannot be told, and their sum."""
    total = len(segments.paths)
    order = np.argsort(segments.recording, kind="stable")
    bounds = np.searchsorted(segments.recording[order], np.arange(total + 1))
    durations = np.full(total, np.inf)
    stereo: list[tuple[int, int]] = []
    for recording, path in enumerate(segments.paths):
        rows = order[bounds[recording] : bounds[recording + 1]]
        found = check_recording(Path(path))
        for fault in found.faults:
            log.add(int(segments.source[rows[0]]), int(segments.line[rows[0]]), _counted(fault, len(rows)))
        if found.num_samples:
            durations[recording] = found.num_samples / found.sampling_rate
            _check_segments(segments, rows, path, found, log)
        if found.num_channels > 1:
            stereo.append((int(rows[0]), found.num_channels))
        if progress is not None:
            progress(recording + 1, total)
    _report_channels(segments, stereo, log)
    return durations, float(durations[np.isfinite(durations)].sum())


def _counted(fault: Fault, num_rows: int) -> Fault:
    if num_rows == 1:
        return fault
    remedy = f"{fault.remedy} {num_rows} rows use it.".strip()
    return Fault(code=fault.code, field=fault.field, message=fault.message, remedy=remedy)


def _check_segments(
    segments: Segments, rows: NDArray[np.int64], path: str, found: RecordingCheck, log: FindingLog
) -> None:
    for row in rows:
        end = float(segments.end[row])
        try:
            first, stop = frame_bounds(
                path,
                start=float(segments.start[row]),
                end=None if np.isnan(end) else end,
                sampling_rate=found.sampling_rate,
                num_samples=found.num_samples,
            )
        except SegmentError as error:
            fault = Fault(code=error.code, field=error.field, message=str(error))
            log.add(int(segments.source[row]), int(segments.line[row]), fault)
            continue
        if silence := _silence_fault(first, stop, found.silences):
            log.add(int(segments.source[row]), int(segments.line[row]), silence)


def _silence_fault(first: int, stop: int, silences: Sequence[EqualSpan]) -> Fault | None:
    """What is wrong with a segment, its frames `first` to `stop`, that lies in a span of equal samples."""
    index = bisect_right(silences, first, key=itemgetter(0)) - 1
    if index < 0 or stop > silences[index][1]:
        return None
    message = silence_sentence(stop - first, silences[index][2])
    return Fault(code="silent-audio", field="wav_path", message=message, remedy=LEAVE_OUT_AUDIO)


def _report_channels(segments: Segments, stereo: Sequence[tuple[int, int]], log: FindingLog) -> None:
    if not stereo:
        return
    row, num_channels = stereo[0]
    others = f", as have {len(stereo) - 1} other recordings" if len(stereo) > 1 else ""
    message = f"the recording has {num_channels} channels{others}."
    remedy = "Set `channel` to `mix` or to the number of one, from 0."
    fault = Fault(code="many-channels", field="wav_path", message=message, remedy=remedy)
    log.add(int(segments.source[row]), int(segments.line[row]), fault)


def _report_overlaps(
    segments: Segments, durations: NDArray[np.float64], log: FindingLog, shown: Sequence[Path]
) -> None:
    """Sweep each channel of each recording in time; two open spans of different speakers are a finding."""
    known = np.flatnonzero(segments.speaker >= 0)
    keys = (segments.start[known], segments.channel[known], segments.recording[known])
    channel_before, open_spans = (-1, -1), dict[int, tuple[float, int]]()
    for row in known[np.lexsort(keys)]:
        recording, speaker, start = int(segments.recording[row]), int(segments.speaker[row]), float(segments.start[row])
        end = float(segments.end[row])
        end = float(durations[recording]) if np.isnan(end) else end
        if channel_before != (recording, int(segments.channel[row])):
            channel_before = (recording, int(segments.channel[row]))
            open_spans.clear()
        open_spans = {who: span for who, span in open_spans.items() if span[0] > start + MIN_OVERLAP_SECONDS}
        others = [span for who, span in open_spans.items() if who != speaker]
        if others and end > start + MIN_OVERLAP_SECONDS:
            until, other = max(others)
            place = f"{shown[segments.source[other]]}:{segments.line[other]}"
            name, rival = segments.speakers[speaker], segments.speakers[segments.speaker[other]]
            message = f"`{name}` speaks from {start:.6g} s, but `{rival}` speaks until {until:.6g} s ({place})."
            remedy = "Correct the spans, or name the `channel` of each."
            fault = Fault(code="overlapping-speakers", field="start", message=message, remedy=remedy)
            log.add(int(segments.source[row]), int(segments.line[row]), fault)
        if speaker not in open_spans or open_spans[speaker][0] < end:
            open_spans[speaker] = (end, int(row))
