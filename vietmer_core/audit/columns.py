"""`AuditRows`: what an audit keeps of every row of every split, in numpy columns. Torch-free.

Names and sentences are kept as 64-bit digests (BLAKE2b): two of a million different ones agree with a probability of
3e-8. A row is read again from its manifest where an example is shown.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.finding import Example
from vietmer_core.data.manifest import Manifest
from vietmer_core.data.utterance import Utterance

ABSENT: Final = 0
"""The digest of what a row does not have."""


def digest(text: str | None) -> int:
    """64 bits of BLAKE2b, signed; `ABSENT` for None."""
    if text is None:
        return ABSENT
    value = int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "little")
    return int(np.uint64(value).astype(np.int64)) or 1


@attrs.frozen(kw_only=True, eq=False)
class AuditRows:
    """Every row of every split, ordered by split and utterance id, so that the order of the lines does not matter.

    Attributes:
        names: The splits.
        manifests: One for each split.
        split: `(rows,)` position in `names`.
        position: `(rows,)` position in the manifest.
        label: `(rows,)` position in `label_names`, -1 where there is none.
        label_names: Every label.
        keys: Columns `(rows,)` of digests by name: `utterance_id`, `speaker`, `recording_id`, `call_id`, `path`,
            `transcript` and each level of `names.LEVELS`.
        seconds: `(rows,)` duration, 0 where there is no audio.
        words: `(rows,)` number of words, 0 where there is no transcript.
        signatures: `(rows, hashes)` MinHash of the transcript.
        metadata: Columns `(rows,)` of codes by field, -1 where absent; only fields of few values.
        flags: Columns `(rows,)` of truth values by name: `cut`, `false_speaker`, `named_unknown`.
    """

    names: tuple[str, ...]
    manifests: tuple[Manifest, ...]
    split: NDArray[np.int8]
    position: NDArray[np.int64]
    label: NDArray[np.int32]
    label_names: tuple[str, ...]
    keys: Mapping[str, NDArray[np.int64]]
    seconds: NDArray[np.float32]
    words: NDArray[np.int32]
    signatures: NDArray[np.uint32]
    metadata: Mapping[str, NDArray[np.int32]]
    flags: Mapping[str, NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.split)

    def read(self, row: int) -> Utterance:
        """The utterance of a row."""
        return self.manifests[int(self.split[row])][int(self.position[row])]

    def example(self, row: int) -> Example:
        """A row for a finding."""
        utterance = self.read(row)
        name = self.names[int(self.split[row])]
        return Example(utterance_id=utterance.utterance_id, place=utterance.place, split=name)

    def of_split(self, name: str) -> NDArray[np.bool_]:
        """Which rows `(rows,)` stand in a split."""
        found: NDArray[np.bool_] = self.split == self.names.index(name)
        return found

    def pairs_of_splits(self) -> Sequence[tuple[str, str]]:
        """Every two splits, the earlier first."""
        return [(a, b) for place, a in enumerate(self.names) for b in self.names[place + 1 :]]


def groups_of(keys: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows of each digest that stands more than once, in the order of their first rows; `ABSENT` is none."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero((counts[inverse] > 1) & (keys != ABSENT))
    order = repeated[np.argsort(keys[repeated], kind="stable")]
    bounds = np.flatnonzero(np.diff(keys[order])) + 1
    groups = np.split(order, bounds) if len(order) else []
    return sorted(groups, key=lambda group: int(group[0]))
