"""Batches of like length, so that little is padded, in an order that is fresh every epoch. Torch-free."""

from typing import final

import attrs

from vietmer_core.data.batching import epoch_generator
from vietmer_core.data.buckets import Buckets


@final
@attrs.frozen(kw_only=True, eq=False)
class LengthBucketSampler:
    """A uniform permutation of the split, drawn from (seed, epoch) alone, in batches of like length.

    Attributes:
        buckets: Make batches of the permutation.
        seed: Of the run, at least 0.
    """

    buckets: Buckets
    seed: int

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch (0, 1, …): positions in the split."""
        generator = epoch_generator(self.seed, epoch)
        return self.buckets.batches(generator.permutation(len(self.buckets.lengths)), generator)
