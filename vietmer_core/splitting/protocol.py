"""`split_protocol`: how a split was made, as its rows say. Torch-free."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from vietmer_core.cache.wording import count
from vietmer_core.data.utterance import Utterance
from vietmer_core.splitting.writing import PROTOCOL_FIELD


def split_protocol(manifest: Iterable[Utterance]) -> str | None:
    """The `split_protocol` that all rows of a split have in common; None where no row has one.

    Where rows differ, `mixed: ` and each protocol with the number of its rows, the most frequent first.

    Raises:
        DataError: where a manifest has changed since it was opened.
    """
    counts = Counter(_protocol(utterance.metadata.get(PROTOCOL_FIELD)) for utterance in manifest)
    if len(counts) == 1:
        return next(iter(counts))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0] or ""))
    return "mixed: " + "; ".join(f"{name or 'not stated'} ({count(number, 'row')})" for name, number in ordered)


def _protocol(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
