"""`Fault`: one thing wrong with a manifest or its audio, with a stable code. Torch-free."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

import attrs

from vietmer_core.errors import DataProblemsError, Problem

Severity = Literal["error", "warning"]

FAULT_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unreadable-manifest": "the manifest is missing, a folder, not text or may not be read",
        "empty-manifest": "the manifest holds no line",
        "not-utf8": "a line is not UTF-8",
        "line-too-long": "a line exceeds the limit of 4 MiB; the rest of the file is not read",
        "blank-line": "an empty line stands before the last row",
        "bad-json": "a line is not JSON (NaN and Infinity are not JSON either)",
        "not-an-object": "a line is JSON, but not an object",
        "repeated-field": "an object names a field twice",
        "missing-field": "a required field is absent (null is a value; absence is not)",
        "wrong-type": "a field holds a value of another type",
        "empty-value": "an id, a path or a label is an empty string, or a soft label names no label",
        "number-out-of-range": "`start` is negative, or a time is not a sensible number of seconds",
        "end-before-start": "`end` does not lie after `start`",
        "absent-label": "a row has no label",
        "unknown-label": "a label is not in the label space, or not in the named label map",
        "unknown-corpus": "a row names no corpus, or one that the named label map does not hold",
        "bad-probabilities": "a soft label holds a number that is no probability, or does not sum to 1",
        "partly-left-out": "a part of a soft label goes to labels that the label map leaves out",
        "labels-disagree": "a label is not the most probable of its soft label",
        "duplicate-id": "an utterance id stands twice in the split",
        "no-modality": "a row has neither audio nor a transcript",
        "absent-audio": "a row has no audio (`wav_path` is null)",
        "absent-text": "a row has no transcript (null, empty or blank)",
        "missing-file": "an audio file does not exist or may not be read",
        "undecodable-file": "an audio file cannot be decoded",
        "truncated-file": "an audio file holds less than its header promises",
        "unfinished-file": "an Ogg file does not end with its closing page; it may have been cut short",
        "bad-samples": "an audio file holds NaN or infinite samples",
        "silent-audio": "every sample of a segment is equal, for 0.1 s or the whole recording",
        "many-channels": "an audio file has several channels and needs the setting `channel`",
        "past-the-end": "a segment lies past the end of its recording",
        "overlapping-speakers": "two speakers share a span of one channel of a recording",
    }
)
"""Every code with what it means. A code never changes its meaning; `vietmer data check --json` reports it."""

WARNING_CODES: Final = frozenset(
    {"absent-audio", "absent-text", "absent-label", "unfinished-file", "many-channels", "overlapping-speakers"}
)
"""Codes that are warnings in `vietmer data check`; `--require` turns the `absent-…` ones into errors."""


@attrs.frozen(kw_only=True)
class Fault:
    """One fault, not yet placed.

    Attributes:
        code: A key of `FAULT_CODES`.
        field: The field of the row it lies in; empty where it is the whole line or file.
        message: What is wrong, one sentence.
        remedy: What to do about it; empty where the message says so.
    """

    code: str
    message: str
    field: str = ""
    remedy: str = ""

    def at(self, path: object, line: int) -> Problem:
        """The fault as a problem with its place; line 0 is the file as a whole."""
        parts = [str(path), str(line) if line else "", f" {self.field}" if self.field else ""]
        return Problem(where=":".join(part for part in parts if part), message=self.message, remedy=self.remedy)


GATHERED_CODES: Final = frozenset({"unknown-label", "unknown-corpus"})
"""Codes of which equal sentences about one manifest are one line, at the first row, with the number of rows."""

MAX_LISTED: Final = 50
"""Problems that an error lists one by one; the rest are counted."""


def gathered(fault: Fault, count: int) -> Fault:
    """The fault of the first of several rows, with how many have it."""
    return fault if count == 1 else attrs.evolve(fault, message=f"{fault.message} So in {count:,} rows, first here.")


class ProblemLog:
    """The first `MAX_LISTED` problems and the number of all, so that a bad million lines stay bounded in memory."""

    def __init__(self) -> None:
        self.count = 0
        self._listed: Final[dict[object, tuple[object, int, Fault]]] = {}
        self._counts: Final[Counter[object]] = Counter()

    def add(self, path: object, line: int, fault: Fault) -> None:
        """Count a fault, and keep it while there is room."""
        self.count += 1
        key = (path, fault) if fault.code in GATHERED_CODES else self.count
        if key in self._listed or len(self._listed) < MAX_LISTED:
            self._listed.setdefault(key, (path, line, fault))
            self._counts[key] += 1

    def raise_any(self, paths: Sequence[object]) -> None:
        """Raise what was found.

        Raises:
            DataProblemsError: where a problem was added.
        """
        if not self.count:
            return
        names = ", ".join(f"`{path}`" for path in paths)
        counted = "one problem" if self.count == 1 else f"{self.count} problems"
        listed = f", the first {MAX_LISTED} of them" if self.count > self._counts.total() else ""
        problems = [
            gathered(fault, self._counts[key]).at(path, line) for key, (path, line, fault) in self._listed.items()
        ]
        raise DataProblemsError(f"{names}: {counted}{listed}:", problems)
