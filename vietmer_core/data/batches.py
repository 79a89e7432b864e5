"""The position in a sampler's order: shards for several processes, continuing mid-epoch. Torch-free.

A sampler is a pure function of the epoch (`vietmer_core.protocols.Sampler`). What it does not know stands here, once
for every sampler: which batches this process takes, and how many have been consumed.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, final

from vietmer_core.errors import AssemblyError

if TYPE_CHECKING:
    from vietmer_core.protocols import Sampler


@final
class EpochBatches:
    """A batch sampler for torch's loader: the batches of one epoch for one process, from the position reached.

    The position counts batches *consumed* by the training loop (`consume`), not those that workers fetched ahead.
    Every process takes the same number of batches; the tail that does not divide is left out of this epoch, and the
    order of the next is another one, so no utterance is left out for good. In step n every process has one of the
    `world_size` batches from the n-th multiple of `world_size` on, so a smaller world that counts the same batches
    consumed would stand elsewhere: a position is that of its own number of processes.

    Args:
        sampler: Gives the global order of an epoch.
        rank: This process, 0 to `world_size` - 1.
        world_size: Number of processes.

    Raises:
        ValueError: if there is no process of that rank.
        AssemblyError: at iteration, if an epoch has fewer batches than there are processes.
    """

    def __init__(self, sampler: "Sampler", *, rank: int = 0, world_size: int = 1) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"`rank` must be from 0 to {world_size - 1} in a world of {world_size}, but is {rank}.")
        self._sampler = sampler
        self._rank = rank
        self._world_size = world_size
        self._epoch = 0
        self._consumed = 0
        self._batches: list[list[int]] | None = None

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._all()[self._consumed :])

    def __len__(self) -> int:
        """Batches of the whole epoch for this process, consumed ones included."""
        return len(self._all())

    def total(self, epochs: int) -> int:
        """Batches of the first `epochs` epochs for this process; epochs of a sampler may differ by a few."""
        return sum(len(self._sampler.batches(epoch)) // self._world_size for epoch in range(epochs))

    @property
    def epoch(self) -> int:
        """The epoch, from 0."""
        return self._epoch

    @property
    def consumed(self) -> int:
        """Batches of this epoch that the training loop has used."""
        return self._consumed

    def set_epoch(self, epoch: int) -> None:
        """Start an epoch from its first batch."""
        self._epoch, self._consumed, self._batches = epoch, 0, None

    def consume(self) -> None:
        """Count one batch as used."""
        self._consumed += 1

    def state_dict(self) -> dict[str, int]:
        """The position, to be saved in a checkpoint."""
        return {"epoch": self._epoch, "consumed": self._consumed, "world_size": self._world_size}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue at a saved position.

        Raises:
            AssemblyError: if it was reached by another number of processes.
        """
        world_size = state.get("world_size", 1)  # positions of one process were once saved without it
        if world_size != self._world_size:
            raise AssemblyError(
                f"a run must be continued by as many processes as reached its position, {world_size}, but there are "
                f"{self._world_size} instead: the batches consumed would be others."
            )
        self.set_epoch(state["epoch"])
        self._consumed = state["consumed"]

    def _all(self) -> list[list[int]]:
        if self._batches is None:
            batches = [list(batch) for batch in self._sampler.batches(self._epoch)]
            shared = len(batches) // self._world_size
            if not shared:
                raise AssemblyError(
                    f"an epoch must have at least one batch for each of the {self._world_size} processes, but has "
                    f"{len(batches)} instead. Use fewer processes or smaller batches."
                )
            self._batches = batches[self._rank : shared * self._world_size : self._world_size]
        return self._batches
