"""What cannot be split as it was asked, each one sentence with what to do instead. Torch-free."""

import difflib

import numpy as np
from numpy.typing import NDArray

from vietmer_core.errors import DataError
from vietmer_core.splitting.groups import columns_of, criteria_of, join_rows
from vietmer_core.splitting.settings import CRITERIA, SPEAKER, SplitSettings
from vietmer_core.splitting.table import Column, RowTable


def refuse_rows(table: RowTable, settings: SplitSettings, *, label_field: str) -> None:
    """Refuse rows that do not hold what the settings need.

    Raises:
        DataError: where no row has a label or a field that is named, or a speaker is unknown and that is not allowed.
    """
    if not (table.labels.codes >= 0).any():
        raise DataError(
            f"no row has a label in `{label_field}`, so there is nothing to stratify by. Name the field that holds it "
            "with `--label-field`."
        )
    for name in settings.fields:
        if not len(table.columns[name].names):
            raise DataError(
                f"`{settings.option_of(name)}`: no row has a value of the field `{name}`. "
                f"{_resembling(name, table.fields, settings)}"
            )
    for pattern in settings.patterns:
        if not len(table.columns[str(pattern)].names):
            raise DataError(f"no row has a value of the field `{pattern.field}`, which `--disjoint-pattern` names.")
    unknown = table.speakers.num_absent
    if settings.needs_speakers and unknown and settings.unknown_speakers == "refuse":
        raise DataError(
            f"{unknown:,} of {len(table):,} rows have no known speaker, so no split of them is known to be "
            "speaker-disjoint. Let them train alone with `--unknown-speakers train`, take each for a speaker of its "
            "own with `own`, or leave `speaker` out of `--disjoint`."
        )


def _resembling(name: str, fields: frozenset[str], settings: SplitSettings) -> str:
    criteria = CRITERIA if name in settings.disjoint else ()
    close = difflib.get_close_matches(name, [*criteria, *sorted(fields)], n=1, cutoff=0.5)
    if close:
        return f"Did you mean `{close[0]}`?"
    there = ", ".join(f"`{field}`" for field in sorted(fields)) or "none"
    return f"The fields of metadata are: {there}."


def refuse_groups(
    table: RowTable, settings: SplitSettings, pinned: NDArray[np.bool_], *, needed: int, testing: bool = False
) -> None:
    """Refuse too few groups.

    Args:
        table: The rows.
        settings: For the criteria that are to blame.
        pinned: `(groups,)` groups that may only train.
        needed: Splits that each need a group.
        testing: Whether all of them test, so that a group that may only train serves none.

    Raises:
        DataError: where there are fewer groups than splits.
    """
    free = int((~pinned).sum())
    serving = free if testing else free + bool(pinned.any())
    if serving >= needed:
        return
    found = f"{len(pinned):,} {'group' if len(pinned) == 1 else 'groups'} that must stay together"
    if pinned.any():
        found += f", {int(pinned.sum()):,} of which may only train since a speaker is unknown"
    raise DataError(
        f"{needed} splits need as many groups of rows, but the rows form {found}. {_blame(table, settings)}"
    )


def refuse_folds(table: RowTable, settings: SplitSettings, *, num_folds: int) -> None:
    """Refuse to leave one out where there are not two.

    Raises:
        DataError: where there are fewer than two folds.
    """
    if num_folds >= 2:
        return
    held_out = str(settings.held_out)
    (values,) = columns_of(table, held_out)
    number = len(values.names)
    if not number:
        raise DataError(
            f"no row has a known {held_out}, so none can be left out. Use another protocol, such as `kfold`."
        )
    if number < 2:
        raise DataError(f"leaving one {held_out} out needs two of them, but there is only `{values.names[0]}`.")
    raise DataError(
        f"there are {number} values of `{held_out}`, but no two can be left out one at a time, since they hang "
        f"together or must train. {_blame(table, settings)}"
    )


def _blame(table: RowTable, settings: SplitSettings) -> str:
    """Which criteria join so much, with the value that most rows share, and what to do."""
    criteria = criteria_of(settings)
    counted = []
    for name in criteria:
        number = int(join_rows(table, [name]).max()) + 1
        counted.append(f"by {name} alone they form {number:,}{_most_shared(columns_of(table, name))}")
    reasons = "; ".join(counted)
    remedy = "Leave a criterion out of `--disjoint`, or ask for fewer splits."
    if SPEAKER in criteria:
        remedy += " A `speaker_id` that stands for unknown speakers is named with `--unknown-ids`."
    return f"{reasons[:1].upper()}{reasons[1:]}. {remedy}" if reasons else remedy


def _most_shared(columns: tuple[Column, ...]) -> str:
    best, most = "", 1
    for column in columns:
        counts = np.bincount(column.codes[column.codes >= 0], minlength=1)
        if counts.max() > most:
            best, most = column.names[int(counts.argmax())], int(counts.max())
    shown = best if len(best) <= 40 else f"{best[:39]}…"
    return f" (`{shown}` has {most:,} rows)" if best else ""
