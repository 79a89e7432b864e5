"""Batches of like length from any draw of utterances, whether each comes once or some come more often. Torch-free."""

from typing import Final, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.batch_params import BucketParams
from vietmer_core.data.batching import batches_shuffled, cut, row_limits, sorting_lengths
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.shapes import audio_edges, frames_of, text_edges

JITTER_BATCHES: Final = 4
"""A length is changed for the sort by no more than half the difference between the lengths so many batches before and
behind it: where lengths lie close, that brings new batch-mates together, and more would only pad."""
EXCHANGE_BATCHES: Final = 0.5
"""How far an utterance's place in its sorted pool may move, in batches: neighbouring batches exchange members
whatever the distances between lengths are."""


@final
@attrs.frozen(kw_only=True, eq=False)
class Buckets:
    """Makes batches of like length of the utterances drawn for an epoch.

    The draws are cut into pools as they come; each pool is sorted by length, the order of the pools is cut into
    batches, and the batches are shuffled. For the sort every length is changed at random, by up to its `jitter` and not
    past lengths four batches away, and equal lengths keep the order of the draws; after it every place moves by up to
    half a batch. So a batch has other members every epoch, even where the whole epoch is one pool. Pools are sorted
    downwards and upwards in turn, the last one downwards, so that batches lie across their borders and one batch of an
    epoch, of the shortest utterances, holds what is left.

    Where `edges` are given, a batch holds utterances of equal edges instead: the draws of each pair of edges, as they
    come, are cut into batches, of which the last one holds what is left of the pair.

    Attributes:
        lengths: `(utterances,)` float64, of any unit.
        rows: `(utterances,)` int64 rows that a batch with the utterance may have at most.
        edges: `(utterances,)` int64, one number for each pair of canonical edges; None where batches are of like
            length.
        pool_batches: Batches of a pool, about; None makes one pool of the whole epoch.
        jitter: Largest share of its length by which an utterance's length is changed for the sort, above 0 and at
            most 1.
    """

    lengths: NDArray[np.float64]
    rows: NDArray[np.int64]
    edges: NDArray[np.int64] | None
    pool_batches: int | None
    jitter: float

    def batches(self, draws: NDArray[np.int64], generator: np.random.Generator) -> list[list[int]]:
        """The batches of an epoch: positions in the split.

        Args:
            draws: `(draws,)` positions in the split, in random order; any of them may come more than once.
            generator: Of the epoch.
        """
        if self.edges is not None:
            order, starts = self._equal_edges(draws, self.edges)
        else:
            order = self._sorted_pools(draws, generator)  # (draws,)
            starts = cut(self.rows[order])
        return batches_shuffled(order, starts, generator)

    def _sorted_pools(self, draws: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions in the split, pool after pool, each in order of length, `(draws,)`."""
        count = len(draws)
        rows = np.minimum(self.rows[draws], count)  # (draws,)
        size = self._pool_size(rows)
        pool = np.arange(count) // size  # (draws,); every sort below keeps each pool in its places
        last = count // size if count % size else count // size - 1
        sign = np.where((last - pool) % 2 == 0, -1.0, 1.0)  # (draws,)
        order = np.lexsort((sign * self.lengths[draws], pool))  # (draws,), stable: ties as they come
        noisy = self._jittered(self.lengths[draws[order]], rows[order], size, generator)
        order = order[np.lexsort((sign * noisy, pool))]
        place = np.arange(count) + generator.uniform(0, 1, count) * EXCHANGE_BATCHES * rows[order]
        return draws[order[np.lexsort((place, pool))]]

    def _jittered(
        self, lengths: NDArray[np.float64], rows: NDArray[np.int64], size: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """The lengths of sorted pools of a size, each changed at random, `(draws,)`."""
        place = np.arange(len(lengths))  # (draws,)
        first = place // size * size  # (draws,) of the pool
        away = np.ceil(JITTER_BATCHES * rows).astype(np.int64)  # (draws,)
        before = lengths[np.maximum(place - away, first)]
        after = lengths[np.minimum(place + away, np.minimum(first + size, len(lengths)) - 1)]
        most = np.minimum(self.jitter * lengths, np.abs(before - after) / 2)  # (draws,)
        noisy: NDArray[np.float64] = lengths + generator.uniform(-1, 1, len(lengths)) * most
        return noisy

    def _pool_size(self, rows: NDArray[np.int64]) -> int:
        """Utterances of a pool: an utterance fills 1 / rows of a batch."""
        if self.pool_batches is None or not len(rows):
            return max(1, len(rows))
        return max(1, round(self.pool_batches * len(rows) / float((1 / rows).sum())))

    def _equal_edges(
        self, draws: NDArray[np.int64], edges: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The draws of each pair of edges together, in the order they come, and where batches begin."""
        order = draws[np.argsort(edges[draws], kind="stable")]  # (draws,)
        pair = edges[order]  # (draws,)
        begins = np.flatnonzero(np.diff(pair, prepend=-1))  # (pairs,)
        place = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))  # (draws,) in its pair
        return order, np.flatnonzero(place % self.rows[order] == 0)  # (draws,), (batches,)


def make_buckets(sizes: UtteranceSizes, params: BucketParams) -> Buckets:
    """The buckets of a split.

    Raises:
        TooLongError: if an utterance alone is more than a budget.
    """
    return Buckets(
        lengths=sorting_lengths(sizes, params, alpha=params.alpha),
        rows=row_limits(sizes, params, canonical=params.canonical),
        edges=edge_pairs(sizes) if params.canonical else None,
        pool_batches=params.pool_batches,
        jitter=params.jitter,
    )


def edge_pairs(sizes: UtteranceSizes) -> NDArray[np.int64]:
    """One number for each pair of canonical edges, frames of 20 ms and words, `(utterances,)`, at least 0."""
    audio, text = audio_edges(frames_of(sizes.audio_seconds)), text_edges(sizes.text_words.astype(np.int64))
    return audio * (int(text.max(initial=0)) + 1) + text  # (utterances,)
