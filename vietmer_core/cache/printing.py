"""A cache folder in the terminal. Torch-free."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from vietmer_core.cache.inventory import SpaceCheck, SpaceSummary
from vietmer_core.cache.pruning import Item
from vietmer_core.cache.wording import count, format_bytes

MOST_SHOWN: Final = 10
"""Damaged entries of a space that are printed; `--json` lists all."""
_INDENT: Final = 4
_MINUTE, _HOUR = 60, 3600


def print_summaries(summaries: Sequence[SpaceSummary], console: Console) -> None:
    """What each space holds."""
    for summary in summaries:
        _title(summary.title, console)
        for line in _summary_lines(summary):
            _line(line, console)


def print_check(check: SpaceCheck, console: Console) -> None:
    """What is damaged in a space."""
    summary = check.summary
    _title(summary.title, console)
    _line(f"{summary.path.name}: {count(summary.num_entries, 'utterance')}, {format_bytes(check.num_bytes)}", console)
    if not check.damage:
        _line("all as written", console)
        return
    for damage in check.damage[:MOST_SHOWN]:
        entry = f"entry {damage.key[:16]}…: " if damage.key else ""
        _line(f"{damage.shard.name}: {entry}{damage.reason}", console)
    if len(check.damage) > MOST_SHOWN:
        _line(f"… and {len(check.damage) - MOST_SHOWN} more; --json lists all.", console)


def print_items(items: Sequence[Item], console: Console) -> None:
    """What is to be removed, and why."""
    for item in items:
        _title(f"{item.path.name}  {format_bytes(item.num_bytes)}" if item.num_bytes else item.path.name, console)
        _line(item.reason, console)


def _summary_lines(summary: SpaceSummary) -> list[str]:
    seconds = summary.seconds
    amount = f"{summary.num_frames:,} frames" if seconds is None else _duration(seconds)
    size = f"{format_bytes(summary.num_bytes)} in {count(summary.num_shards, 'shard')}"
    used = f"last used {datetime.fromtimestamp(summary.last_used).astimezone():%Y-%m-%d %H:%M}"
    created = summary.identity.created[:16].replace("T", " ") if summary.identity else "at an unknown time"
    lines = [
        summary.path.name if summary.identity else "",
        f"{count(summary.num_entries, 'utterance')}, {amount}, {size}",
        f"created {created}, {used}" + (", in use now" if summary.in_use else ""),
        f"being filled by {summary.filled_by}" if summary.filled_by else "",
        f"{count(summary.num_damaged, 'damaged shard')}, not used" if summary.num_damaged else "",
        f"{count(summary.num_leftovers, 'file')} left of dead writers" if summary.num_leftovers else "",
    ]
    return [line for line in lines if line]


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    return f"{seconds / _MINUTE:.1f} min" if seconds < _HOUR else f"{seconds / _HOUR:,.1f} h"


def _title(text: str, console: Console) -> None:
    console.print(Text(text, style="bold"))


def _line(text: str, console: Console) -> None:
    console.print(Padding(Text(text), (0, 0, 0, _INDENT), expand=False))
