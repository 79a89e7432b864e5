"""The rules that one row of a manifest must keep, and the utterance it becomes. Torch-free."""

import difflib
import os
from collections.abc import Mapping
from types import NoneType
from typing import Any, Final

from vietmer_core.data.faults import Fault
from vietmer_core.data.labels import RowRules, label_faults
from vietmer_core.data.lines import kind_of, shown_number
from vietmer_core.data.utterance import REQUIRED_FIELDS, Utterance

MAX_SECONDS: Final = 1e9
"""Times beyond this (31 years) are taken for a mistake, such as samples or milliseconds since an epoch."""

_TYPES: Final[Mapping[str, tuple[frozenset[type], str]]] = {
    "utterance_id": (frozenset({str}), "a string"),
    "speaker_id": (frozenset({str, NoneType}), "a string or null"),
    "wav_path": (frozenset({str, NoneType}), "a string or null"),
    "start": (frozenset({int, float, NoneType}), "a number of seconds or null"),
    "end": (frozenset({int, float, NoneType}), "a number of seconds or null"),
    "transcript": (frozenset({str, NoneType}), "a string or null"),
}


def _missing(name: str, row: Mapping[str, Any]) -> Fault:
    others = [field for field in row if field not in REQUIRED_FIELDS]
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.5)
    nullable = "" if name == "utterance_id" else ", with null where it is unknown"
    remedy = f"Rename `{close[0]}`." if close else f"Add `{name}`{nullable}."
    return Fault(code="missing-field", field=name, message="the field is missing.", remedy=remedy)


def _type_faults(row: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for name, (types, rule) in _TYPES.items():
        if name not in row:
            faults.append(_missing(name, row))
        elif type(row[name]) not in types:
            message = f"must be {rule}, but is {kind_of(row[name])} instead."
            faults.append(Fault(code="wrong-type", field=name, message=message))
    return faults


def _empty(name: str, remedy: str) -> Fault:
    return Fault(code="empty-value", field=name, message="the string is empty.", remedy=remedy)


def _value_faults(row: Mapping[str, Any]) -> list[Fault]:
    faults = []
    if not row["utterance_id"]:
        faults.append(_empty("utterance_id", "Give every utterance an id of its own."))
    if row["speaker_id"] == "":
        faults.append(_empty("speaker_id", "Write null where the speaker is unknown."))
    if row["wav_path"] == "":
        faults.append(_empty("wav_path", "Write null where there is no audio."))
    for name in ("start", "end"):
        value = row[name]
        if value is not None and not 0 <= value <= MAX_SECONDS:
            rule = "must not be negative" if value < 0 else "must be a time in seconds"
            faults.append(
                Fault(code="number-out-of-range", field=name, message=f"{rule}, but is {shown_number(value)}.")
            )
    start, end = row["start"] or 0, row["end"]
    if not faults and row["wav_path"] is not None and end is not None and end <= start:
        message = f"must lie after `start` ({start:.6g} s), but is {end:.6g} s."
        faults.append(Fault(code="end-before-start", field="end", message=message))
    return faults


def find_faults(row: Mapping[str, Any], rules: RowRules) -> list[Fault]:
    """Every fault of one row that shows in the row alone; empty for a sound row."""
    faults = _type_faults(row) or _value_faults(row)
    return faults + label_faults(row, rules)


def resolve_path(wav_path: str, folder: str) -> str:
    """The path of a recording: `wav_path` where it is absolute, else below `folder`."""
    return os.path.join(folder, wav_path)  # noqa: PTH118  # ten times faster than pathlib, once for every row


def count_words(transcript: str | None) -> int:
    """Number of space-separated words; 0 where there is no transcript."""
    return len(transcript.split()) if transcript else 0


def make_utterance(row: Mapping[str, Any], rules: RowRules, *, folder: str, place: str) -> Utterance:
    """The utterance of a sound row.

    Args:
        row: The row as decoded.
        rules: Its manifest's rules, for the labels.
        folder: Absolute folder that a relative `wav_path` starts from.
        place: `file:line`, for messages.
    """
    known = {*REQUIRED_FIELDS, rules.label_field, rules.soft_label_field}
    wav_path = row["wav_path"]
    return Utterance(
        utterance_id=row["utterance_id"],
        speaker_id=row["speaker_id"],
        wav_path=None if wav_path is None else resolve_path(wav_path, folder),
        start=None if row["start"] is None else float(row["start"]),
        end=None if row["end"] is None else float(row["end"]),
        transcript=row["transcript"],
        label=rules.label_of(row),
        soft_label=rules.soft_label_of(row),
        metadata={name: value for name, value in row.items() if name not in known},
        place=place,
    )
