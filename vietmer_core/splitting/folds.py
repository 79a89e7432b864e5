"""From rows and settings to folds: which row stands in which split. Torch-free."""

import re
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.errors import DataError
from vietmer_core.splitting.assignment import assign
from vietmer_core.splitting.groups import columns_of, criteria_of, join_columns, join_rows
from vietmer_core.splitting.refusals import refuse_folds, refuse_groups
from vietmer_core.splitting.settings import SplitSettings
from vietmer_core.splitting.table import Column, RowTable

TRAIN: Final = 0
VALID: Final = 1
TEST: Final = 2

_DIGITS: Final = re.compile(r"(\d+)")


@attrs.frozen(kw_only=True, eq=False)
class Fold:
    """One way of splitting the corpus.

    Attributes:
        name: The folder, such as `fold_01`; empty where there is but one.
        held_out: The values that are left out: speakers, corpora or what the protocol names.
        splits: `(rows,)` int64 position of the split of each row in `SPLITS`, in the order of the table.
    """

    name: str
    held_out: tuple[str, ...] = ()
    splits: NDArray[np.int64]


@attrs.frozen(kw_only=True, eq=False)
class Groups:
    """The groups of a corpus.

    Attributes:
        of_row: `(rows,)` int64 group of each row.
        counts: `(groups, columns)` int64 rows of the group, of each label in it and of each balanced value.
        pinned: `(groups,)` bool: groups that only train, since they hold a row of an unknown speaker.
    """

    of_row: NDArray[np.int64]
    counts: NDArray[np.int64]
    pinned: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.counts)

    def only(self, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """The groups `chosen (groups,)`: their numbers, counts and whether they are pinned."""
        (numbers,) = np.nonzero(chosen)
        return numbers, self.counts[numbers], self.pinned[numbers]


def form_groups(table: RowTable, settings: SplitSettings) -> Groups:
    """The groups of the rows, with what is to be spread over the splits."""
    of_row = join_rows(table, criteria_of(settings))
    num_groups = int(of_row.max()) + 1
    columns = [table.labels, *(table.columns[name] for name in settings.balance)]
    sizes = np.bincount(of_row)[:, np.newaxis]  # (groups, 1)
    counts = np.concatenate([sizes, *(_count(of_row, num_groups, column) for column in columns)], axis=1)
    pinned = np.zeros(num_groups, dtype=bool)
    if settings.unknown_speakers == "train" and settings.needs_speakers:
        pinned[of_row[table.speakers.codes < 0]] = True
    return Groups(of_row=of_row, counts=counts, pinned=pinned)


def _count(of_row: NDArray[np.int64], num_groups: int, column: Column) -> NDArray[np.int64]:
    """Rows of each value of each group, `(groups, values + 1)`; the last column counts rows without one."""
    width = len(column.names) + 1
    cells = np.bincount(of_row * width + column.codes % width, minlength=num_groups * width)
    counted: NDArray[np.int64] = cells.reshape(num_groups, width)
    return counted


def make_folds(table: RowTable, groups: Groups, settings: SplitSettings) -> tuple[Fold, ...]:
    """The folds of a protocol.

    Raises:
        DataError: where there are too few groups, or more folds than the settings allow.
    """
    if settings.protocol == "holdout":
        return (_holdout(table, groups, settings),)
    if settings.protocol == "kfold":
        tests = _partition(table, groups, settings)
        held_out: Sequence[tuple[str, ...]] = [()] * len(tests)
    else:
        held_out, tests = _leave_out(table, groups, settings)
    if len(tests) > settings.max_folds:
        raise DataError(
            f"there would be {len(tests)} folds, each with every row of the corpus, but no more than "
            f"{settings.max_folds} are allowed. Use `kfold`, or allow more with `--max-folds`."
        )
    digits = max(2, len(str(len(tests))))
    return tuple(
        Fold(
            name=f"fold_{number:0{digits}d}",
            held_out=names,
            splits=_around(test, groups, settings, number=number),
        )
        for number, (names, test) in enumerate(zip(held_out, tests, strict=True), start=1)
    )


def _holdout(table: RowTable, groups: Groups, settings: SplitSettings) -> Fold:
    refuse_groups(table, settings, groups.pinned, needed=len(settings.shares))
    shares = np.array(settings.shares)
    generator = np.random.default_rng(settings.seed)
    placed = assign(groups.counts, shares / shares.sum(), generator, pinned=groups.pinned)
    return Fold(name="", splits=placed[groups.of_row])


def _partition(table: RowTable, groups: Groups, settings: SplitSettings) -> list[NDArray[np.bool_]]:
    """The test groups of every fold of `kfold`, each `(groups,)`; pinned ones are in none."""
    refuse_groups(table, settings, groups.pinned, needed=settings.num_folds, testing=True)
    numbers, counts, _ = groups.only(~groups.pinned)
    shares = np.full(settings.num_folds, 1 / settings.num_folds)
    placed = assign(counts, shares, np.random.default_rng(settings.seed), first_trains=False)
    tests = np.zeros((settings.num_folds, len(groups)), dtype=bool)
    tests[placed, numbers] = True
    return list(tests)


def _leave_out(
    table: RowTable, groups: Groups, settings: SplitSettings
) -> tuple[list[tuple[str, ...]], list[NDArray[np.bool_]]]:
    """What is left out of each fold and the test groups, each `(groups,)`.

    Two values that share a group are left out together, or one would train what the other tests.
    """
    assert settings.held_out is not None
    (values,) = columns_of(table, settings.held_out)
    of_group = Column(codes=groups.of_row, names=("",) * len(groups))
    units = join_columns([values, of_group], num_rows=len(table))  # (rows,)
    kept = units[groups.pinned[groups.of_row]]  # of these a part must train, so they are never left out
    (known,) = np.nonzero((values.codes >= 0) & ~np.isin(units, kept))
    names: dict[int, list[str]] = {}
    for unit, code in np.unique(np.stack([units[known], values.codes[known]]), axis=1).T.tolist():
        names.setdefault(unit, []).append(values.names[code])
    refuse_folds(table, settings, num_folds=len(names))
    named = sorted((sorted(found, key=_natural), unit) for unit, found in names.items())
    named.sort(key=lambda pair: [_natural(name) for name in pair[0]])
    tests = [np.bincount(groups.of_row[units == unit], minlength=len(groups)) > 0 for _, unit in named]
    return [tuple(found) for found, _ in named], tests


def _natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts `s2` before `s10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(text)]


def _around(test: NDArray[np.bool_], groups: Groups, settings: SplitSettings, *, number: int) -> NDArray[np.int64]:
    """The splits of a fold whose test groups are given: of the rest, validation has its share."""
    numbers, counts, pinned = groups.only(~test)
    if (~pinned).sum() + bool(pinned.any()) < 2:
        raise DataError(
            f"beside the test split of fold {number} there is one group of rows alone, so validation and training "
            "cannot both have one. Use fewer criteria in `--disjoint`, or a corpus with more speakers."
        )
    shares = np.array([1 - settings.valid_share, settings.valid_share])
    generator = np.random.default_rng([settings.seed, number])
    placed = np.full(len(groups), TEST, dtype=np.int64)
    placed[numbers] = assign(counts, shares, generator, pinned=pinned)
    return placed[groups.of_row]
