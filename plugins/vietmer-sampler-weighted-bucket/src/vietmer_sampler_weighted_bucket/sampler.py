"""Draws weighted by class, in batches of like length. Torch-free."""

from typing import final

import attrs

from vietmer_core.data.batching import epoch_generator
from vietmer_core.data.buckets import Buckets
from vietmer_core.data.class_draws import ClassDraws


@final
@attrs.frozen(kw_only=True, eq=False)
class WeightedBucketSampler:
    """Independent draws with replacement, from (seed, epoch) alone, in batches of like length.

    What is drawn does not depend on the batches: they only order it.

    Attributes:
        draws: Draw utterances by the weight of their class.
        buckets: Make batches of what was drawn.
        seed: Of the run, at least 0.
    """

    draws: ClassDraws
    buckets: Buckets
    seed: int

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch (0, 1, …): positions in the split."""
        generator = epoch_generator(self.seed, epoch)
        return self.buckets.batches(self.draws.draw(generator), generator)
