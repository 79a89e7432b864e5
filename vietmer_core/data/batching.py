"""What samplers share: lengths, how many rows a batch may have, cutting an order into batches. Torch-free.

A batch of some rows fits a budget where rows × longest ≤ budget. So every utterance has a largest number of rows that a
batch with it may have, whatever limits there are, and a batch fits where it has no more rows than the least of these
numbers. This makes one axis of any combination of limits.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.batch_params import BatchLimits
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import TooLongError
from vietmer_core.shapes import audio_edges, frames_of, text_edges


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """The random numbers of an epoch: PCG64 from (seed, epoch) alone, the same on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))


def mixed_lengths(sizes: UtteranceSizes, *, alpha: float) -> NDArray[np.float64]:
    """`audio_seconds + alpha * text_words`, `(utterances,)`; `alpha` is what one word costs, in seconds of audio."""
    return sizes.audio_seconds.astype(np.float64) + alpha * sizes.text_words.astype(np.float64)  # (utterances,)


def sorting_lengths(sizes: UtteranceSizes, limits: BatchLimits, *, alpha: float) -> NDArray[np.float64]:
    """The length that like utterances share, `(utterances,)`: what an utterance takes of a batch.

    With a budget that is its share of the budget, the larger one of two: in this order a greedy cut makes as few
    batches as can be. Without one it is the mixed length.
    """
    frames, words = frames_of(sizes.audio_seconds), sizes.text_words.astype(np.int64)
    budgets = ((limits.max_frames, frames), (limits.max_tokens, words))
    shares = [widths / budget for budget, widths in budgets if budget is not None]
    return np.max(shares, axis=0) if shares else mixed_lengths(sizes, alpha=alpha)  # (utterances,)


def row_limits(sizes: UtteranceSizes, limits: BatchLimits, *, canonical: bool = False) -> NDArray[np.int64]:
    """Rows that a batch with an utterance may have at most, `(utterances,)`, at least 1.

    Args:
        sizes: Of the split.
        limits: Which of them hold. An absent modality counts as one frame or one token.
        canonical: Budgets are compared with the edges to which utterances are padded, not with their own lengths.

    Raises:
        TooLongError: if an utterance alone is more than a budget.
    """
    frames, words = frames_of(sizes.audio_seconds), sizes.text_words.astype(np.int64)
    most = np.iinfo(np.int64).max if limits.batch_size is None else limits.batch_size
    rows = np.full(len(sizes), most, dtype=np.int64)  # (utterances,)
    widths = (audio_edges(frames), text_edges(words)) if canonical else (frames, words)
    units = (("max_frames", limits.max_frames, frames), ("max_tokens", limits.max_tokens, words))
    for (name, budget, lengths), width in zip(units, widths, strict=True):
        if budget is None or not len(sizes):
            continue
        longest = int(np.argmax(width))
        if width[longest] > budget:
            raise _too_long(name, budget, longest, int(lengths[longest]), int(width[longest]))
        rows = np.minimum(rows, budget // np.maximum(width, 1))
    return rows


def _too_long(name: str, budget: int, index: int, length: int, width: int) -> TooLongError:
    unit = "frames of 20 ms of audio" if name == "max_frames" else "words of transcript"
    padded = f", {width} at its canonical edge" if width != length else ""
    return TooLongError(
        f"`sampler.{name}` must be at least {width}, to hold the longest utterance of the split (position {index}, "
        f"from 0: {length} {unit}{padded}), but is {budget} instead. Raise it, or leave the utterance out.",
        index=index,
    )


def cut(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where batches begin in an order of utterances, `(batches,)`, each batch as long as the next row still fits.

    No other cut of this order makes fewer batches, since a part of a batch that fits is a batch that fits. In an order
    of falling or rising `rows` no other grouping of these utterances does.

    Args:
        rows: `(utterances,)` rows that a batch with the utterance may have at most, in the order to be cut.
    """
    if not len(rows):
        return np.zeros(0, np.int64)
    if rows.min() == rows.max():
        return np.arange(0, len(rows), rows[0])  # (batches,)
    starts: list[int] = []
    begin, room = 0, 0
    for place, fits in enumerate(rows.tolist()):
        room = min(room, fits)
        if place - begin >= room:
            starts.append(place)
            begin, room = place, fits
    return np.array(starts, dtype=np.int64)  # (batches,)


def batches_in_order(order: NDArray[np.int64], starts: NDArray[np.int64]) -> list[list[int]]:
    """The batches of an order, as lists of positions in the split."""
    positions, edges = order.tolist(), [*starts.tolist(), len(order)]
    return [positions[begin:end] for begin, end in pairwise(edges)]


def batches_shuffled(
    order: NDArray[np.int64], starts: NDArray[np.int64], generator: np.random.Generator
) -> list[list[int]]:
    """The batches of an order, in random order."""
    batches = batches_in_order(order, starts)
    return [batches[place] for place in generator.permutation(len(batches)).tolist()]
