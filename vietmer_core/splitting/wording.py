"""Lists and the name of a protocol, as readers take them in. Torch-free."""

from collections.abc import Sequence
from typing import Final

from vietmer_core.splitting.groups import columns_of
from vietmer_core.splitting.settings import RECORDING, SPEAKER, SplitSettings
from vietmer_core.splitting.table import RowTable

_MOST_NAMED: Final = 5


def listed(names: Sequence[str], *, most: int = _MOST_NAMED) -> str:
    """Names in backticks: `a`, `b` and `c`; of many, the first ones and how many more there are."""
    shown = [f"`{name}`" for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def percent(share: float) -> str:
    """`12.5 %`."""
    return f"{100 * share:.1f} %"


def one_speaker_a_row(table: RowTable) -> bool:
    """Whether every row that has a speaker has one of its own, as where the field really holds the file's name."""
    known = len(table) - table.speakers.num_absent
    return 1 < known == len(table.speakers.names)


def protocol_name(table: RowTable, settings: SplitSettings, *, label_field: str, num_folds: int) -> str:
    """What is said of a split wherever a score of it is shown, and stands in every row as `split_protocol`."""
    parts = [_folds(settings, num_folds), _disjointness(table, settings), *_reservations(table, settings)]
    stratified = " and ".join([", ".join([label_field, *settings.balance[:-1]]), *settings.balance[-1:]])
    parts += [f"stratified by {stratified}", f"seed {settings.seed}"]
    return ", ".join(part for part in parts if part)


def _folds(settings: SplitSettings, num_folds: int) -> str:
    if settings.protocol == "holdout":
        return ""
    if settings.protocol == "kfold":
        return f"{settings.num_folds} folds"
    return f"leave-one-{settings.held_out}-out in {num_folds} folds"


def _disjointness(table: RowTable, settings: SplitSettings) -> str:
    there = {SPEAKER: bool(table.speakers.names), RECORDING: _has_recordings(table)}
    names = [name for name in settings.disjoint if there.get(name, True)]
    names += [f"{pattern.field}-pattern" for pattern in settings.patterns]
    if not names:
        return "rows drawn one by one"
    *others, last = (name if place == len(names) - 1 else f"{name}-" for place, name in enumerate(names))
    return f"{' and '.join([', '.join(others), last] if others else [last])}-disjoint"


def _has_recordings(table: RowTable) -> bool:
    return any(column.names for column in columns_of(table, RECORDING))


def _reservations(table: RowTable, settings: SplitSettings) -> list[str]:
    """What keeps a split from being disjoint by speaker."""
    if not settings.needs_speakers:
        return ["not speaker-disjoint"]
    unknown = table.speakers.num_absent
    if unknown == len(table):
        return ["speakers unknown"]
    found = []
    if unknown:
        treated = "only train" if settings.unknown_speakers == "train" else "count as speakers of their own"
        found.append(f"{unknown} rows of unknown speakers {treated}")
    if SPEAKER in settings.disjoint and one_speaker_a_row(table):
        found.append("each row with a speaker_id of its own")
    return found
