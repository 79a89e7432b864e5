"""The results as tables of text: the groups, the effects, the levels, the cells without a score. Torch-free."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import attrs

from vietmer_core.ablation_results.wording import mean_text
from vietmer_core.comparison.tables import TextTable
from vietmer_core.comparison.wording import p_text, signed, span

if TYPE_CHECKING:
    from vietmer_core.ablation_results.effects import Effect
    from vietmer_core.ablation_results.levels import LevelMean
    from vietmer_core.ablation_results.results import GroupResult, Results

NONE = "–"
OTHERS = ("balanced_accuracy", "accuracy")
MOST_PENDING = 8
"""Cells that have not run which are listed one by one."""
WIDE = (*OTHERS, "p")
"""Columns of the groups that a terminal and LaTeX leave out."""


def tables_of(results: "Results") -> list[TextTable]:
    """Those of them that have rows."""
    made = [groups_table(results), effects_table(results), levels_table(results), missing_table(results)]
    return [table for table in made if table.rows]


def narrow_tables(results: "Results", *, leaves_out: Collection[str] = ()) -> list[TextTable]:
    """The same, the groups without `WIDE` and some other columns."""
    groups, *others = tables_of(results)
    left_out, num_axes = {*WIDE, *leaves_out}, groups.num_left  # an axis may have the name of a column that is left out
    kept = [index for index, column in enumerate(groups.columns) if index < num_axes or column not in left_out]
    columns, *rows = (tuple(row[index] for index in kept) for row in (groups.columns, *groups.rows))
    return [attrs.evolve(groups, columns=columns, rows=tuple(rows)), *others]


def groups_table(results: "Results") -> TextTable:
    """The groups, best first; those without a score last."""
    axes, metric = tuple(results.matrix.axes) or ("group",), results.metric
    others = tuple(name for name in ("macro_f1", *OTHERS) if name != metric)[: len(OTHERS)]
    without = [row for row in results.rows if row.scores is None]
    return TextTable(
        title=f"{results.matrix.name}: {metric} on the {results.matrix.split} split, 95% intervals by speaker",
        columns=(*axes, "runs", metric, "interval", "best", "difference", "its interval", "p", "p (Holm)", *others),
        rows=tuple(_group_row(row, results, others=others) for row in (*results.scored, *without)),
        num_left=len(axes),
    )


def _group_row(row: "GroupResult", results: "Results", *, others: tuple[str, ...]) -> tuple[str, ...]:
    levels = tuple(row.levels.values()) or (row.name,)
    if row.scores is None:
        states = sorted({cell.status for cell in row.missing})
        return (*levels, f"0 of {row.num_replicates}", ", ".join(states), *[NONE] * (6 + len(others)))
    score, pair = row.scores.scores[results.metric], row.pair
    done = len(row.scores.seeds)
    runs = str(done) if done == row.num_replicates else f"{done} of {row.num_replicates}"
    tested = (NONE, NONE, NONE, NONE)
    if pair is not None:
        difference = pair.difference
        tested = (
            signed(difference.value),
            span(difference.interval, of_difference=True),
            p_text(pair.p),
            p_text(pair.p_holm),
        )
    elif row.is_reference:
        tested = ("reference", NONE, NONE, NONE)
    standing = "not compared" if row.apart else row.standing
    return (
        *levels,
        runs,
        mean_text(score),
        span(score.interval),
        standing,
        *tested,
        *(mean_text(row.scores.scores[name]) for name in others),
    )


def effects_table(results: "Results") -> TextTable:
    """The effects of the axes and their interactions, and what is left."""
    effects = results.effects
    rows = [] if effects is None else [_effect_row(effect) for effect in effects.effects]
    if effects is not None and effects.rest > 1e-6:
        rows.append(("three axes and more", NONE, f"{effects.rest:.1%}", NONE, NONE, NONE, NONE))
    deviation = 0.0 if effects is None else effects.deviation
    return TextTable(
        title=f"effects on {results.metric}; the groups deviate by {deviation:.3f}",
        columns=("effect", "contrasts", "share of the sum of squares", "F", "degrees of freedom", "p", "p (Holm)"),
        rows=tuple(rows),
    )


def _effect_row(effect: "Effect") -> tuple[str, ...]:
    degrees = NONE if effect.degrees is None else f"{effect.degrees[0]:.1f} and {effect.degrees[1]:.1f}"
    return (
        effect.name,
        str(effect.contrasts),
        f"{effect.share:.1%}",
        NONE if effect.statistic is None else f"{effect.statistic:.2f}",
        degrees,
        NONE if effect.p is None else p_text(effect.p),
        NONE if effect.p_holm is None else p_text(effect.p_holm),
    )


def levels_table(results: "Results") -> TextTable:
    """The marginal means of the levels."""
    return TextTable(
        title=f"{results.metric} of each level, mean over the other axes",
        columns=("axis", "level", "groups", "mean", "interval", "difference", "its interval", "p (Holm)"),
        rows=tuple(_level_row(one, results) for one in results.levels),
        num_left=2,
    )


def _level_row(one: "LevelMean", results: "Results") -> tuple[str, ...]:
    own = (one.axis, one.level, str(one.num_groups), f"{one.mean:.3f}", ends(one.low, one.high))
    difference = one.difference
    if difference is None:
        is_reference = results.matrix.reference.get(one.axis) == one.level
        return (*own, "reference" if is_reference else NONE, NONE, NONE)
    p = NONE if difference.p_holm is None else p_text(difference.p_holm)
    return (*own, signed(difference.value), ends(difference.low, difference.high, is_signed=True), p)


def ends(low: float | None, high: float | None, *, is_signed: bool = False) -> str:
    """The ends of an interval."""
    if low is None or high is None:
        return "none"
    written = signed if is_signed else "{:.3f}".format
    return f"{written(low)} to {written(high)}"


def missing_table(results: "Results") -> TextTable:
    """The cells that failed or cannot be used, and why; those that have not run are counted."""
    rows = [(cell.title, cell.status, cell.reason) for cell in results.missing if cell.status != "pending"]
    pending = [cell for cell in results.missing if cell.status == "pending"]
    if len(pending) > MOST_PENDING:
        rows.append((f"{len(pending)} more", "pending", pending[0].reason.replace("has", "have", 1)))
    else:
        rows += [(cell.title, cell.status, cell.reason) for cell in pending]
    return TextTable(title="cells without a score", columns=("cell", "status", "why"), rows=tuple(rows), num_left=3)
