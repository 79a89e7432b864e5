"""Samplers whose order is not one order: it stands still, moves on, differs between processes or breaks its limits."""

import os
from collections.abc import Sequence
from typing import Final, Literal, final

import numpy as np

from vietmer_core.data.batch_params import BatchLimits
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.shapes import frames_of


class BudgetParams(BatchLimits):
    """Limits of a batch."""

    kind: Literal["leaky"] = "leaky"


@final
class SameOrderSampler:
    """One shuffle for all epochs."""

    def __init__(self, sizes: UtteranceSizes, seed: int) -> None:
        self.order: Final = np.random.default_rng(seed).permutation(len(sizes)).tolist()

    def batches(self, epoch: int, /) -> Sequence[Sequence[int]]:
        """Batches of 4."""
        del epoch
        return [self.order[start : start + 4] for start in range(0, len(self.order), 4)]


@final
class MovingSampler:
    """Draws on from where it stands, so that no epoch can be repeated."""

    def __init__(self, sizes: UtteranceSizes, seed: int) -> None:
        self.size: Final = len(sizes)
        self.generator: Final = np.random.default_rng(seed)

    def batches(self, epoch: int, /) -> Sequence[Sequence[int]]:
        """One batch."""
        del epoch
        return [self.generator.permutation(self.size).tolist()]


@final
class OffByOneSampler:
    """Counts utterances from 1."""

    def __init__(self, sizes: UtteranceSizes, seed: int) -> None:
        self.size: Final = len(sizes)
        self.seed: Final = seed

    def batches(self, epoch: int, /) -> Sequence[Sequence[int]]:
        """One batch."""
        return [(np.random.default_rng((self.seed, epoch)).permutation(self.size) + 1).tolist()]


@final
class HashedSampler:
    """Seeds its order by the hash of a text, which every process salts anew."""

    def __init__(self, sizes: UtteranceSizes, seed: int) -> None:
        self.size: Final = len(sizes)
        self.seed: Final = seed

    def batches(self, epoch: int, /) -> Sequence[Sequence[int]]:
        """One batch."""
        seed = abs(hash(f"{self.seed}, epoch {epoch}"))
        return [np.random.default_rng(seed).permutation(self.size).tolist()]


@final
class SelfShardingSampler:
    """Takes the share of its own process, so that what shards the batches leaves most of them out."""

    def __init__(self, sizes: UtteranceSizes, seed: int) -> None:
        self.size: Final = len(sizes)
        self.seed: Final = seed
        self.rank: Final = int(os.environ.get("RANK", "0"))
        self.world_size: Final = int(os.environ.get("WORLD_SIZE", "1"))

    def batches(self, epoch: int, /) -> Sequence[Sequence[int]]:
        """Batches of 2."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self.size).tolist()
        return [order[start : start + 2] for start in range(0, self.size, 2)][self.rank :: self.world_size]


@final
class RealFramesSampler:
    """Holds the sum of the real frames to the budget, not rows × longest: what is padded comes on top."""

    def __init__(self, sizes: UtteranceSizes, seed: int, *, params: BudgetParams) -> None:
        self.frames: Final = frames_of(sizes.audio_seconds).tolist()
        self.seed: Final = seed
        self.budget: Final = params.max_frames or 1000

    def batches(self, epoch: int, /) -> Sequence[Sequence[int]]:
        """Batches of as many as their real frames allow."""
        batches: list[list[int]] = [[]]
        for index in np.random.default_rng((self.seed, epoch)).permutation(len(self.frames)).tolist():
            if batches[-1] and sum(self.frames[other] for other in batches[-1]) + self.frames[index] > self.budget:
                batches.append([])
            batches[-1].append(index)
        return batches
