"""What an importer gives: the rows of a corpus as it was published, before they become a manifest. Torch-free."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import attrs

from vietmer_core.data.faults import Fault, ProblemLog


@attrs.frozen(kw_only=True)
class AudioBytes:
    """Audio that is no file of its own, such as a cell of a parquet table.

    Attributes:
        suffix: Of the file that it becomes, such as `.wav`.
        content: The bytes of that file.
    """

    suffix: str
    content: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ImportedRow:
    """One utterance of a corpus.

    Attributes:
        utterance_id: Unique in the corpus.
        speaker_id: Who speaks; None where the corpus does not say.
        audio: The recording, or None where there is none.
        transcript: What is said; None where there is no text.
        label: The label in the corpus's own words, lower-case; None where it has none.
        corpus: Name of the corpus, by which a named label map finds its labels.
        place: `file:line`, for messages.
        start: Begin of the segment in the recording, s; None is its beginning.
        end: End of the segment, s; None is the end of the recording.
        soft_label: Label → share of the raters who chose it; None where the corpus has one opinion a row.
        split: `train`, `valid` or `test` where the corpus is published so; empty where it is not.
        metadata: Further fields of the manifest.
    """

    utterance_id: str
    speaker_id: str | None
    audio: Path | AudioBytes | None
    transcript: str | None
    label: str | None
    corpus: str
    place: str
    start: float | None = None
    end: float | None = None
    soft_label: Mapping[str, float] | None = None
    split: str = ""
    metadata: Mapping[str, Any] = attrs.field(factory=dict)


class ImportLog:
    """What an importer finds beside rows: faults, which stop the import, and rows left out or remarked on, counted.

    Attributes:
        skipped: Reason → rows of the corpus that are left out.
        notes: Remark → rows that are kept.
    """

    def __init__(self) -> None:
        self.skipped: Final[Counter[str]] = Counter()
        self.notes: Final[Counter[str]] = Counter()
        self._problems: Final = ProblemLog()

    def fault(self, path: object, line: int, message: str, *, remedy: str = "", field: str = "") -> None:
        """A row that cannot be read; the rest is read all the same, so that all faults are told at once.

        Args:
            path: The file.
            line: The line, from 1; 0 is the file as a whole.
            message: What is wrong, one sentence.
            remedy: What to do about it.
            field: The column it lies in.
        """
        self._problems.add(path, line, Fault(code="", field=field, message=message, remedy=remedy))

    def skip(self, reason: str) -> None:
        """Count a row that is left out."""
        self.skipped[reason] += 1

    def note(self, remark: str) -> None:
        """Count a remark on a row that is kept."""
        self.notes[remark] += 1

    @property
    def num_faults(self) -> int:
        return self._problems.count

    def raise_any(self, source: Path) -> None:
        """Raise what was found.

        Raises:
            DataProblemsError: where there was a fault.
        """
        self._problems.raise_any([source])


@runtime_checkable
class Importer(Protocol):
    """Reads a corpus in the layout in which it was published; changes no byte of it."""

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """The rows of a corpus, in an order that depends on nothing but its files.

        Args:
            source: The folder or file of the corpus.
            log: Takes the faults of single rows, and the rows that are left out with the reason.

        Raises:
            DataError: where the source as a whole cannot be used, such as a folder that holds none of its files.
        """
        ...


class BuildImporter(Protocol):
    """`Component.build` of the role importer."""

    def __call__(self, params: Any, /) -> Importer: ...
