"""Folds of one protocol, known by what the manifests say of how they were split. Torch-free."""

import re
from typing import Final

import attrs

_FOLDS: Final = re.compile(r"(?:(?:leave-one-.+?-out in )?(\d+) folds|leave-one-.+?-out)(?:,|$)")
"""How `vietmer data split` names a protocol of folds; each fold has the same name."""


@attrs.frozen(kw_only=True)
class FoldProtocol:
    """A protocol in which a corpus is tested fold by fold.

    Attributes:
        name: As `split_protocol` says, equal in all folds.
        count: Folds there are; None where the name does not say, as an earlier `leave-one-speaker-out`.
    """

    name: str
    count: int | None


def folds_of(protocol: str | None) -> FoldProtocol | None:
    """The protocol of folds that a name means; None where it means none."""
    found = _FOLDS.match(protocol or "")
    if protocol is None or found is None:
        return None
    return FoldProtocol(name=protocol, count=int(found[1]) if found[1] else None)
