"""The worst utterances of the runs of a report, with sound up to a limit. Torch-free."""

from collections.abc import Sequence
from typing import Final

import attrs

from vietmer_core.error_browser.entries import ErrorEntries, ErrorEntry

SOUND_MIB: Final = 24
"""MiB of encoded sound in one page; base64 makes a third more of it."""


@attrs.frozen(kw_only=True)
class SoundBudget:
    """How much sound a page may hold, and how much it holds.

    Attributes:
        limit: Bytes.
        used: Bytes.
        num_left_out: Clips that found no room.
    """

    limit: int
    used: int = 0
    num_left_out: int = 0


def within(budget: SoundBudget, found: ErrorEntries) -> tuple[ErrorEntries, SoundBudget]:
    """The entries of one run with the clips that still fit, the worst utterances first, and what is left then."""
    entries: list[ErrorEntry] = []
    for entry in found.entries:
        size = 0 if entry.clip is None else len(entry.clip.content)
        if budget.used + size <= budget.limit:
            budget = attrs.evolve(budget, used=budget.used + size)
            entries.append(entry)
        else:
            budget = attrs.evolve(budget, num_left_out=budget.num_left_out + 1)
            entries.append(attrs.evolve(entry, clip=None, clip_fault="The sound was left out: the page is full."))
    return attrs.evolve(found, entries=tuple(entries)), budget


def limited(found: Sequence[ErrorEntries | str], *, limit: int) -> tuple[list[ErrorEntries | str], SoundBudget]:
    """The entries of every run within one budget.

    Args:
        found: Of each run, or why there are none.
        limit: Bytes of sound.
    """
    budget, kept = SoundBudget(limit=limit), list[ErrorEntries | str]()
    for entries in found:
        if not isinstance(entries, str):
            chosen, budget = within(budget, entries)
            kept.append(chosen)
        else:
            kept.append(entries)
    return kept, budget
