"""The fields by which scores are split into subgroups, and the protocol of a split, read from its rows. Torch-free."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.utterance import Utterance
from vietmer_core.splitting.protocol import split_protocol
from vietmer_core.splitting.writing import PROTOCOL_FIELD

PREFERRED: Final[tuple[str, ...]] = ("gender", "accent", "corpus", "channel", "role")
"""Fields with a documented meaning come first; any other with few values follows."""
MOST_VALUES: Final = 12
"""A field of more values describes utterances rather than groups of them."""
IGNORED: Final = frozenset({"recording_id", "call_id", "turn_index", "licence", PROTOCOL_FIELD})
DURATION_EDGES: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between the spans of duration: those of turns, from `yes` to a story."""


@attrs.frozen(kw_only=True)
class RowFields:
    """What the rows of a split say beside speech, transcript and label.

    Attributes:
        subgroups: Field → its value for each utterance, None where it has none.
        protocol: How the split was made; None where the rows do not say so.
    """

    subgroups: dict[str, list[str | None]]
    protocol: str | None


def row_fields(utterances: Iterable[Utterance], *, seconds: NDArray[np.floating[Any]]) -> RowFields:
    """The fields of subgroups of a split.

    Args:
        utterances: In the order of the predictions.
        seconds: `(utterances,)` durations; 0 where there is no audio.
    """
    rows = list(utterances)
    metadata, labels = [row.metadata for row in rows], [row.label for row in rows]
    names = dict.fromkeys(name for row in metadata for name in row)
    ordered = [name for name in PREFERRED if name in names]
    ordered += sorted(name for name in names if name not in PREFERRED and name not in IGNORED)
    columns = {name: [_value(row.get(name)) for row in metadata] for name in ordered}
    found = {name: values for name, values in columns.items() if _tells_groups(values, labels)}
    durations = _duration_spans(seconds)
    if _tells_groups(durations, labels):
        found["duration"] = durations
    return RowFields(subgroups=found, protocol=split_protocol(rows))


def _value(value: object) -> str | None:
    """A value as the name of a group; a number with a fraction, a list or an object names none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value).strip() or None
    return None


def _tells_groups(values: Sequence[str | None], labels: Sequence[str | None]) -> bool:
    """Whether there are few values, and one of them has utterances of two labels: else they are the classes."""
    known = [value for value in values if value is not None]
    if not 2 <= len(set(known)) <= min(MOST_VALUES, len(known) // 2):
        return False
    pairs = {(value, label) for value, label in zip(values, labels, strict=True) if value is not None}
    return len(pairs) > len(set(known))


def _duration_spans(seconds: NDArray[np.floating[Any]]) -> list[str | None]:
    edges = ["0", *(f"{edge:g}" for edge in DURATION_EDGES)]
    spans = [f"{low}-{high} s" for low, high in pairwise(edges)]
    spans.append(f"{edges[-1]} s and longer")
    codes = np.digitize(seconds, DURATION_EDGES)
    return [spans[code] if length > 0 else None for code, length in zip(codes.tolist(), seconds, strict=True)]
