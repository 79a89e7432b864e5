"""Draws weighted by class, in random order. Torch-free."""

from typing import final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.batching import batches_in_order, cut, epoch_generator
from vietmer_core.data.class_draws import ClassDraws


@final
@attrs.frozen(kw_only=True, eq=False)
class WeightedSampler:
    """Independent draws with replacement, from (seed, epoch) alone, cut into batches as they come.

    Attributes:
        draws: Draw utterances by the weight of their class.
        rows: `(utterances,)` int64 rows that a batch with the utterance may have at most.
        seed: Of the run, at least 0.
    """

    draws: ClassDraws
    rows: NDArray[np.int64]
    seed: int

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch (0, 1, …): positions in the split."""
        order = self.draws.draw(epoch_generator(self.seed, epoch))  # (draws,)
        return batches_in_order(order, cut(self.rows[order]))
