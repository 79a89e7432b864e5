"""Every utterance once an epoch, in a fresh random order. Torch-free."""

from typing import final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.batching import batches_in_order, cut, epoch_generator
from vietmer_core.errors import AssemblyError


@final
@attrs.frozen(kw_only=True, eq=False)
class UniformSampler:
    """A uniform permutation of the split, drawn from (seed, epoch) alone, cut into batches.

    Attributes:
        rows: `(utterances,)` int64 rows that a batch with the utterance may have at most.
        drop_last: Leave the last batch out if it is not full: if the longest of its utterances would allow more rows.
        seed: Of the run, at least 0.

    Raises:
        AssemblyError: if `drop_last` would leave no batch.
    """

    rows: NDArray[np.int64]
    drop_last: bool
    seed: int

    def __attrs_post_init__(self) -> None:
        count, needed = len(self.rows), int(self.rows.min(initial=np.iinfo(np.int64).max))
        if self.drop_last and count < needed:
            raise AssemblyError(
                f"a full batch of `sampler: uniform` must have at most {count} rows, as many as the split has "
                f"utterances, where `drop_last` is true, but has {needed} instead. Set `drop_last: false`, or smaller "
                "batches."
            )

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch (0, 1, …): positions in the split."""
        order = epoch_generator(self.seed, epoch).permutation(len(self.rows))  # (utterances,)
        batches = batches_in_order(order, cut(self.rows[order]))
        if self.drop_last and batches and len(batches[-1]) < int(self.rows[batches[-1]].min()):
            batches.pop()
        return batches
