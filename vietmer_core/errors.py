"""Every error a user can cause, each one clear sentence with its place and its remedy.

The command line prints the sentence of a `VietmerError` and leaves with its `exit_code`; it never shows a
traceback for one. Anything else that escapes is a defect of the program.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

import attrs

EXIT_OK: Final = 0
EXIT_FOUND: Final = 1
"""A check ran to its end and found errors (`vietmer data check`, `vietmer doctor`, `vietmer cache verify`)."""
EXIT_USAGE: Final = 2
"""The command line or the spec cannot be used as given; a spec that names a kind not installed is one of these."""
EXIT_DATA: Final = 3
"""A manifest, an audio file or a transcript cannot be used."""
EXIT_PLUGIN: Final = 4
"""A plugin is broken, offered twice, or missing where it is looked up directly rather than read from a spec."""
EXIT_RUN: Final = 5
"""A run failed, or its folder or the feature cache cannot be used; what had been computed is kept."""
EXIT_INTERRUPTED: Final = 130
"""Stopped by Ctrl-C; a training run can be continued."""


@attrs.frozen(kw_only=True)
class Problem:
    """One thing that is wrong: where it is, what it is and what to do about it.

    Attributes:
        where: The place, such as `spec.yaml:12: fusion.num_heads` or `train.jsonl:3: end`.
        message: What is wrong, one sentence without its place.
        remedy: What to do; empty where the message already says so.
    """

    where: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.message}" if self.where else self.message]
        return " ".join([*parts, self.remedy] if self.remedy else parts)


class VietmerError(Exception):
    """What a user can mend: a sentence, and the exit code the command line leaves with."""

    exit_code: ClassVar[int] = EXIT_USAGE


class ProblemsError(VietmerError):
    """Several problems, all reported at once.

    Attributes:
        problems: Every problem found, in the order of the input.
    """

    def __init__(self, summary: str, problems: Sequence[Problem]) -> None:
        self.summary: Final = summary
        self.problems: Final = tuple(problems)
        super().__init__(summary, self.problems)

    def __str__(self) -> str:
        return "\n".join([self.summary, *(f"  {problem}" for problem in self.problems)])


class SpecError(ProblemsError):
    """An experiment spec that cannot be used, with every error in it, a kind that is not installed included."""

    exit_code = EXIT_USAGE


class DataError(VietmerError):
    """A manifest, an audio file or a transcript that cannot be used."""

    exit_code = EXIT_DATA


class ChangedFileError(DataError):
    """A file of data that has changed since it was opened."""


class DataProblemsError(ProblemsError):
    """A manifest with several faults, all reported at once."""

    exit_code = EXIT_DATA


class PluginError(VietmerError):
    """A plugin that is missing, broken or offered twice."""

    exit_code = EXIT_PLUGIN


class UnknownKindError(PluginError):
    """No installed distribution offers this kind; the sentence names the remedy."""


class AssemblyError(VietmerError):
    """Parts of a spec that are valid alone but do not fit together."""

    exit_code = EXIT_USAGE


class TooLongError(AssemblyError):
    """An utterance that is longer than a batch may be.

    Attributes:
        index: Its position in the split.
    """

    def __init__(self, message: str, *, index: int) -> None:
        super().__init__(message)
        self.index: Final = index


class CheckpointError(VietmerError):
    """A pretrained checkpoint that cannot be found, fetched, read or used."""

    exit_code = EXIT_USAGE


class RunError(VietmerError):
    """A run that failed or a run folder that cannot be used."""

    exit_code = EXIT_RUN


class OutdatedError(RunError):
    """The data or the code is not that which a run or a job was made for."""


class ElsewhereError(VietmerError):
    """What the main process of several tells the user; this one leaves with the same exit code and says nothing."""

    def __init__(self, sentence: str, *, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code  # type: ignore[misc]  # that of the error told elsewhere


class OtherProcessError(VietmerError):
    """What another process of several has met, told by the main one, with its exit code."""

    def __init__(self, rank: int, sentence: str, *, exit_code: int) -> None:
        super().__init__(f"process of rank {rank}: {sentence}")
        self.exit_code = exit_code  # type: ignore[misc]  # that of the error met there


class NotKeptError(RunError):
    """A failure after which the weights are not to be kept over those of an earlier checkpoint."""


class NonFiniteError(NotKeptError):
    """A loss or a gradient that is not finite.

    Attributes:
        what: `loss` or `gradient`.
        indices: Positions in the training split of the utterances whose loss, or whose batch's gradient, it is.
    """

    def __init__(self, what: str, *, indices: Sequence[int], told: str = "") -> None:
        self.what: Final = what
        self.indices: Final = tuple(indices)
        super().__init__(told or f"the {what} must be finite, but is not for the utterances at {list(indices)}.")


class CacheError(VietmerError):
    """A feature cache that cannot be read or written; what had been written to it is kept."""

    exit_code = EXIT_RUN


class MissingEntryError(CacheError):
    """An utterance whose features are not in the cache."""


class DamagedEntryError(CacheError):
    """An utterance whose features in the cache are not what was written; they count as missing."""
