"""The tables of `vietmer data split` in a terminal. Torch-free."""

from typing import Final

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vietmer_core.splitting.balance import SplitSummary, count_values
from vietmer_core.splitting.plan import SplitPlan

MAX_CLASSES: Final = 24
"""Classes shown one by one; `split.json` has all."""


def print_plan(plan: SplitPlan, console: Console) -> None:
    """Print what every split of every fold holds."""
    rows, sizes = len(plan.table), np.bincount(plan.groups.of_row)
    console.print(f"[bold]{escape(plan.protocol)}[/bold]", soft_wrap=True)
    console.print(
        f"{rows:,} utterances, {len(plan.table.speakers.names):,} speakers, {len(sizes):,} groups that stay together, "
        f"the largest of {sizes.max():,} utterances\n",
        soft_wrap=True,
    )
    console.print(_one(plan) if len(plan.folds) == 1 else _many(plan))


def _one(plan: SplitPlan) -> Table:
    """Splits as columns, what they hold as rows."""
    parts, table = plan.summaries[0], Table()
    everything = np.ones(len(plan.table), dtype=bool)
    table.add_column("", overflow="fold")
    for name in ("all", *(part.name for part in parts)):
        table.add_column(name, justify="right")
    total = len(plan.table)
    table.add_row("utterances", f"{total:,}", *(_cell(part.num_utterances, total) for part in parts))
    table.add_row("groups", f"{len(plan.groups):,}", *(f"{part.num_groups:,}" for part in parts))
    table.add_row("speakers", f"{len(plan.table.speakers.names):,}", *(f"{part.num_speakers:,}" for part in parts))
    unknown = plan.table.speakers.num_absent
    if unknown:
        table.add_row("of unknown speakers", f"{unknown:,}", *(f"{part.num_unknown_speaker:,}" for part in parts))
    table.add_section()
    classes = count_values(plan.table.labels, everything)
    for label in list(classes)[:MAX_CLASSES]:
        cells = (_cell(part.classes[label], part.num_utterances) for part in parts)
        table.add_row(escape(label), _cell(classes[label], total), *cells)
    if len(classes) > MAX_CLASSES:
        table.add_row(f"and {len(classes) - MAX_CLASSES:,} more classes")
    table.add_section()
    table.add_row("deviation", "", *(_deviation(part) for part in parts))
    table.add_row("divergence", "", *(f"{part.divergence:.4f}" for part in parts))
    return table


def _cell(number: int, total: int) -> str:
    return f"{number:,} ({number / total:.0%})"


def _deviation(part: SplitSummary) -> str:
    label, difference = part.deviation
    return f"{escape(label)} {100 * difference:+.1f}" if abs(difference) >= 0.0005 else "none"


def _many(plan: SplitPlan) -> Table:
    """Folds as rows."""
    table = Table()
    table.add_column("fold")
    left_out = any(fold.held_out for fold in plan.folds)
    if left_out:
        table.add_column("left out", overflow="fold")
    for name in ("train", "valid", "test", "speakers", "deviation"):
        table.add_column(name, justify="right")
    for fold, parts in zip(plan.folds, plan.summaries, strict=True):
        worst = max(parts, key=lambda part: abs(part.deviation[1]))
        deviation = _deviation(worst)
        table.add_row(
            fold.name,
            *([escape(", ".join(fold.held_out))] if left_out else []),
            *(f"{part.num_utterances:,}" for part in parts),
            " ".join(f"{part.num_speakers:,}" for part in parts),
            deviation if deviation == "none" else f"{worst.name} {deviation}",
        )
    return table
