"""Batches of like length, so that little is padded, in an order that is fresh every epoch. Torch-free."""

from typing import TYPE_CHECKING, Final, final

import attrs
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vietmer_core.protocols import UtteranceSizes

EXCHANGE_BATCHES: Final = 0.5
"""How far an utterance's place in its sorted pool may move, in batches: neighbouring batches exchange members
whatever the distances between lengths are."""


def mixed_lengths(sizes: "UtteranceSizes", *, alpha: float) -> NDArray[np.float64]:
    """`audio_seconds + alpha * text_words`, `(utterances,)`; `alpha` is what one word costs, in seconds of audio."""
    return sizes.audio_seconds.astype(np.float64) + alpha * sizes.text_words.astype(np.float64)  # (utterances,)


@final
@attrs.frozen(kw_only=True, eq=False)
class LengthBucketSampler:
    """A permutation drawn from (seed, epoch) alone, cut into pools; each pool is sorted by length and cut into batches.

    The batches are then shuffled. Before the sort every length is multiplied by a number drawn from
    [1 - jitter, 1 + jitter], and equal lengths keep the order of the permutation; after it every place moves by up to
    half a batch. So a batch has other members every epoch, even where the whole epoch is one pool.

    Attributes:
        lengths: `(utterances,)` float64, of any unit.
        batch_size: Utterances of a batch; one batch of an epoch holds what is left.
        pool_batches: Batches of a pool; None makes one pool of the whole epoch.
        jitter: Largest share of its length by which an utterance's length is changed for the sort, above 0 and at
            most 1.
        seed: Of the run, at least 0.
    """

    lengths: NDArray[np.float64]
    batch_size: int
    pool_batches: int | None
    jitter: float
    seed: int

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch (0, 1, …): positions in the split."""
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, epoch])))
        order = self._sorted_pools(generator).tolist()
        starts = np.arange(0, len(order), self.batch_size)  # (batches,)
        return [order[start : start + self.batch_size] for start in generator.permutation(starts).tolist()]

    def _sorted_pools(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions in the split, pool after pool, each in order of length, `(utterances,)`."""
        count = len(self.lengths)
        pool_size = self.pool_batches * self.batch_size if self.pool_batches is not None else max(count, 1)
        permutation = generator.permutation(count)  # (utterances,)
        pool = np.arange(count) // pool_size  # (utterances,)
        noisy = self.lengths[permutation] * (1 + generator.uniform(-self.jitter, self.jitter, count))
        by_length = np.lexsort((noisy, pool))  # (utterances,), stable: ties keep the order of the permutation
        place = np.arange(count) + generator.uniform(0, EXCHANGE_BATCHES * self.batch_size, count)
        moved = np.lexsort((place, pool))  # (utterances,); `by_length` keeps every pool where `pool` has it
        return permutation[by_length[moved]]
