"""What a reader must know of a split that could not be made as one would wish, each one sentence. Torch-free."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from vietmer_core.cache.wording import count
from vietmer_core.splitting.balance import NO_LABEL, SplitSummary
from vietmer_core.splitting.folds import Fold, Groups
from vietmer_core.splitting.groups import columns_of
from vietmer_core.splitting.settings import CRITERIA, SplitSettings
from vietmer_core.splitting.table import CORPUS, Column, RowTable
from vietmer_core.splitting.wording import listed, one_speaker_a_row, percent

FAR: Final = 0.05
"""A split whose share of the rows is so far from what was asked is told."""


def cautions_on_rows(table: RowTable, settings: SplitSettings) -> Iterator[str]:
    """What the rows themselves keep a split from promising."""
    unknown = table.speakers.num_absent
    if not settings.needs_speakers:
        yield "the splits are not speaker-disjoint: a speaker may be heard in several of them."
    elif unknown and settings.unknown_speakers == "own":
        yield (
            f"rows of unknown speakers ({unknown:,}) are each taken for a speaker of its own; the same voice may stand "
            "in two splits."
        )
    elif unknown:
        yield f"rows of unknown speakers ({unknown:,}) only train; a speaker of the other splits may be among them."
    if settings.needs_speakers and one_speaker_a_row(table):
        yield (
            f"every row has a `speaker_id` of its own, {len(table.speakers.names):,} in all: it may be the name of the "
            "file, and then nothing is known of the speakers."
        )
    yield from _shared_names(table, settings)
    for name in settings.fields:
        absent = table.columns[name].num_absent
        if absent and name in settings.balance:
            yield f"rows without `{name}` ({absent:,}) are spread like one more value of it."
        elif absent:
            yield f"rows without `{name}` ({absent:,}): whether they share one is not known."
    if table.labels.num_absent:
        yield f"rows without a label ({table.labels.num_absent:,}) are spread like a class of their own."


def _shared_names(table: RowTable, settings: SplitSettings) -> Iterator[str]:
    """Speakers of one name in several corpora."""
    corpora = table.columns[CORPUS]
    known = (table.speakers.codes >= 0) & (corpora.codes >= 0)
    pairs = np.unique(np.stack([table.speakers.codes[known], corpora.codes[known]]), axis=1)  # (2, pairs)
    codes, counts = np.unique(pairs[0], return_counts=True)
    names = [table.speakers.names[code] for code in codes[counts > 1].tolist()]
    if names and settings.needs_speakers:
        yield (
            f"{listed(names)} speak in several corpora and are taken for the same speakers; "
            "where they are not, write the corpus into `speaker_id`."
        )


def cautions_on_folds(
    folds: Sequence[Fold], summaries: Sequence[Sequence[SplitSummary]], groups: Groups, table: RowTable
) -> Iterator[str]:
    """What the folds could not be given: classes, sizes, a turn as the test of every row."""
    yield from _one_group(groups, table)
    yield from _strangers(summaries, table)
    yield from _lacking(summaries, groups, table)
    yield from _sizes(folds, summaries, groups)


def cautions_on_left_out(folds: Sequence[Fold], table: RowTable, settings: SplitSettings) -> Iterator[str]:
    """What is left out together, or never."""
    if settings.held_out is None:
        return
    together = [fold.held_out for fold in folds if len(fold.held_out) > 1]
    for names in together[:5]:
        yield f"{listed(names)} are left out together, since they share what no two splits may share."
    (column,) = columns_of(table, settings.held_out)
    never = sorted(set(column.names) - {name for fold in folds for name in fold.held_out})
    if never:
        yield f"{listed(never)} are never left out, since rows of unknown speakers that only train belong to them."
    untested = column.num_absent
    if untested and settings.held_out in CRITERIA:
        yield f"rows without a known {settings.held_out} ({untested:,}) are in no test split."


def _one_group(groups: Groups, table: RowTable) -> Iterator[str]:
    """A group that holds most of the rows."""
    sizes = np.bincount(groups.of_row)
    if sizes.max() > len(table) / 2:
        speakers = table.speakers.codes[groups.of_row == sizes.argmax()]
        yield (
            f"one group holds {percent(sizes.max() / len(table))} of the rows and "
            f"{count(len(np.unique(speakers[speakers >= 0])), 'speaker')}, joined by what no two splits may share."
        )


def _strangers(summaries: Sequence[Sequence[SplitSummary]], table: RowTable) -> Iterator[str]:
    """Splits of unknown speakers alone, where others are known."""
    if not table.speakers.names:
        return
    where = [
        place
        for number, parts in enumerate(summaries, start=1)
        for part, place in zip(parts, _places(parts, number, alone=len(summaries) == 1), strict=True)
        if not part.num_speakers
    ]
    if where:
        yield f"no known speaker is in {_first_of(where)}."


def _places(parts: Sequence[SplitSummary], number: int, *, alone: bool) -> list[str]:
    return [f"`{part.name}`" if alone else f"`{part.name}` of fold {number}" for part in parts]


def _first_of(places: Sequence[str]) -> str:
    return ", ".join(places[:5]) + (f" and {len(places) - 5:,} more" if len(places) > 5 else "")


def _lacking(summaries: Sequence[Sequence[SplitSummary]], groups: Groups, table: RowTable) -> Iterator[str]:
    """Each class with the splits that lack it."""
    for label in summaries[0][0].classes:
        where = [
            place
            for number, parts in enumerate(summaries, start=1)
            for part, place in zip(parts, _places(parts, number, alone=len(summaries) == 1), strict=True)
            if label in part.lacking
        ]
        if not where:
            continue
        held = _num_groups(label, groups, table.labels)
        reason = "one group alone holds it" if held == 1 else f"{held:,} groups hold it"
        yield f"class `{label}` is absent from {_first_of(where)}: {reason}."


def _num_groups(label: str, groups: Groups, labels: Column) -> int:
    code = -1 if label == NO_LABEL else labels.names.index(label)
    return len(np.unique(groups.of_row[labels.codes == code]))


def _sizes(folds: Sequence[Fold], summaries: Sequence[Sequence[SplitSummary]], groups: Groups) -> Iterator[str]:
    largest = int(np.bincount(groups.of_row).max())
    for fold, parts in zip(folds, summaries, strict=True):
        for part in parts:
            if part.wanted_share is not None and abs(part.share - part.wanted_share) > FAR:
                name = f"`{part.name}` of {fold.name}" if fold.name else f"`{part.name}`"
                yield (
                    f"{name} holds {percent(part.share)} of the rows, not {percent(part.wanted_share)}: a group is "
                    f"not cut, and the largest has {largest:,} rows."
                )
