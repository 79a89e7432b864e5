"""What proposes the trials of a search: the contract of `role: search`. Torch-free.

A searcher sees levels and validation scores, nothing else: which split they come from is not its business, and it can
neither run a trial nor change one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import attrs

Value = int | float | str
Epochs = Mapping[int, float]
"""The monitored validation score after each epoch, from 0."""
TrialState = Literal["running", "finished", "failed", "pruned"]


@attrs.frozen(kw_only=True)
class Range:
    """Numbers between two bounds, both included.

    Attributes:
        low: The least.
        high: The greatest.
        log: Whether ratios count instead of differences.
        step: Only `low`, `low + step`, …; None allows every number.
        is_whole: Whether they are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    is_whole: bool = False


@attrs.frozen(kw_only=True)
class Choice:
    """Levels without an order, by name."""

    levels: tuple[str, ...]


Space = Mapping[str, Range | Choice]


@attrs.frozen(kw_only=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: From 0, in the order in which they were proposed.
        values: Its value on each axis; the name of a level where the axis has levels.
        state: How it stands; one that is `running` was perhaps cut off.
        score: Its validation score; None where it has none.
        epochs: Its score after each epoch, as far as it counts.
    """

    number: int
    values: Mapping[str, Value]
    state: TrialState
    score: float | None = None
    epochs: Epochs = attrs.field(factory=dict)


class Study(Protocol):
    """The trials of one search, kept in a file. One process uses it, in one thread."""

    def trials(self) -> Sequence[TrialRecord]:
        """Every trial that has been proposed, in order."""
        ...

    def ask(self) -> TrialRecord:
        """Propose one more, and keep it. The same trials before it and the same seed propose the same."""
        ...

    def tell(
        self, number: int, /, *, state: Literal["finished", "failed", "pruned"], score: float | None, epochs: Epochs
    ) -> None:
        """Keep how one has ended."""
        ...


@runtime_checkable
class Searcher(Protocol):
    """Proposes trials, and says which are not worth their end."""

    def open(self, file: Path, /, *, name: str, space: Space, maximises: bool) -> Study:
        """The trials of a search so far.

        Raises:
            VietmerError: if the file cannot be used, or holds a search over another space.
        """
        ...

    def is_hopeless(self, epochs: Epochs, /, *, finished: Sequence[Epochs], maximises: bool) -> bool:
        """Whether a trial should be stopped after the last of its epochs. A pure function.

        Args:
            epochs: Of the trial, so far.
            finished: Of those that had finished when it began.
            maximises: Whether more is better.
        """
        ...


class BuildSearcher(Protocol):
    """`Component.build` of the role search. Whatever is slow to import is imported here."""

    def __call__(self, params: Any, /) -> Searcher: ...
