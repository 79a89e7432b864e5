"""`Cell`: one experiment of a matrix. Torch-free."""

from collections.abc import Mapping
from typing import Any

import attrs

from vietmer_core.ablation.executor import Resources
from vietmer_core.ablation.identity import DIGITS
from vietmer_core.spec import ExperimentSpec


def title_of(levels: Mapping[str, str]) -> str:
    """`fusion=xattn, pooler=mean, seed=0`."""
    return ", ".join(f"{axis}={level}" for axis, level in levels.items())


@attrs.frozen(kw_only=True, eq=False)
class Cell:
    """One experiment of a matrix.

    Attributes:
        id: 64 hexadecimal digits (`vietmer_core.ablation.identity`).
        levels: Its level on each axis, replicates last.
        replicates: The axes that are only repeated.
        spec: Resolved, with its threads.
        split: That it is scored on.
        data: The fingerprint of each split.
        identity: What the id is made of.
        resources: What it needs.
    """

    id: str
    levels: Mapping[str, str]
    replicates: frozenset[str]
    spec: ExperimentSpec
    split: str
    data: Mapping[str, str]
    identity: Mapping[str, Any]
    resources: Resources

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.id[:DIGITS]

    @property
    def title(self) -> str:
        return title_of(self.levels)

    @property
    def kind(self) -> str:
        """What it shares with its replicates: `fusion=xattn, pooler=mean`."""
        return title_of({axis: level for axis, level in self.levels.items() if axis not in self.replicates})
