"""The position in a sampler's order: steps, shares of several processes, continuing mid-epoch. Torch-free.

A sampler is a pure function of the epoch (`vietmer_core.protocols.Sampler`). What it does not know stands here, once
for every sampler: which of its batches make a step, which of them this process takes, and how many steps are done.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import attrs

from vietmer_core.data.draw import Draw
from vietmer_core.errors import AssemblyError

if TYPE_CHECKING:
    from vietmer_core.protocols import Sampler


@attrs.frozen(kw_only=True)
class Share:
    """What one process takes of one step.

    Attributes:
        batches: Positions in the split, one sequence for each forward pass; none where other processes take all.
        num_utterances: Utterances of the step, over all processes.
        num_passes: Forward passes of the process that has most of them.
    """

    batches: tuple[tuple[int, ...], ...]
    num_utterances: int
    num_passes: int


@final
class EpochBatches:
    """A batch sampler for torch's loader: what one process draws of an epoch, from the position reached.

    A step takes `per_step` batches of the sampler, the last of an epoch those that are left, so that an epoch loses
    and repeats nothing. The processes take the batches of a step in turn. Which utterances share a step depends on
    `per_step` alone, never on the number of processes; so does the position, which counts steps *done* by the training
    loop (`consume`), not batches that workers fetched ahead.

    Args:
        sampler: Gives the order of an epoch.
        rank: This process, 0 to `world_size` - 1.
        world_size: Number of processes.
        per_step: Batches of a step, over all processes; one for each process by default.
        micro_batch: Utterances of one forward pass at most; None cuts no batch.

    Raises:
        ValueError: if there is no process of that rank.
    """

    def __init__(
        self,
        sampler: "Sampler",
        *,
        rank: int = 0,
        world_size: int = 1,
        per_step: int | None = None,
        micro_batch: int | None = None,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"`rank` must be from 0 to {world_size - 1} in a world of {world_size}, but is {rank}.")
        self._sampler = sampler
        self._rank = rank
        self._world_size = world_size
        self._per_step = world_size if per_step is None else per_step
        self._micro_batch = micro_batch
        self._epoch = 0
        self._consumed = 0
        self._shares: tuple[Share, ...] | None = None
        self._digest: str | None = None

    def __iter__(self) -> Iterator[list[Draw]]:
        """The batches left of the epoch for this process, one list for each forward pass."""
        for share in self.shares():
            for batch in share.batches:
                yield [Draw(index, self._epoch) for index in batch]

    def __len__(self) -> int:
        """Steps of the whole epoch, those done included."""
        return len(self._all())

    def shares(self) -> tuple[Share, ...]:
        """What this process takes of each step that is left of the epoch."""
        return self._all()[self._consumed :]

    def total(self, epochs: int) -> int:
        """Steps of the first `epochs` epochs; epochs of a sampler may differ by a few."""
        return sum(-(-len(self._sampler.batches(epoch)) // self._per_step) for epoch in range(epochs))

    @property
    def per_step(self) -> int:
        """Batches of the sampler that a step takes."""
        return self._per_step

    @property
    def epoch(self) -> int:
        """The epoch, from 0."""
        return self._epoch

    @property
    def consumed(self) -> int:
        """Steps of this epoch that the training loop has done."""
        return self._consumed

    def set_epoch(self, epoch: int) -> None:
        """Start an epoch from its first step."""
        self._epoch, self._consumed, self._shares, self._digest = epoch, 0, None, None

    def set_micro_batch(self, most: int | None) -> None:
        """Cut batches from here on to at most so many utterances a forward pass; None cuts none."""
        self._micro_batch, self._shares = most, None

    def consume(self) -> None:
        """Count one step as done."""
        self._consumed += 1

    def state_dict(self) -> dict[str, int | str]:
        """The position, to be saved in a checkpoint, with the SHA-256 of the order that it counts in."""
        position = {"epoch": self._epoch, "consumed": self._consumed, "per_step": self._per_step}
        return {**position, "order": self._order()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue at a saved position, with any number of processes.

        Raises:
            AssemblyError: if it counts steps of another size, or in the middle of an epoch whose batches are others.
        """
        per_step = state["per_step"]
        if per_step != self._per_step:
            raise AssemblyError(
                f"a run must be continued with as many batches a step as it began with, {per_step}, but takes "
                f"{self._per_step} instead: its position would be another one. Set `training.batches_per_step` to "
                f"{per_step}."
            )
        self.set_epoch(state["epoch"])
        if state["consumed"] and state["order"] != self._order():
            raise AssemblyError(
                f"a run must be continued with the batches that it began epoch {state['epoch'] + 1} with, but the "
                "sampler gives others: `augment.waveform` or something else that it reads has changed. Undo the "
                "change; it can be made where an epoch ends."
            )
        self._consumed = state["consumed"]

    def _order(self) -> str:
        """SHA-256 of the batches of the epoch."""
        if self._digest is None:
            batches = [list(map(int, batch)) for batch in self._sampler.batches(self._epoch)]
            self._digest = hashlib.sha256(json.dumps(batches).encode()).hexdigest()
        return self._digest

    def _all(self) -> tuple[Share, ...]:
        if self._shares is None:
            batches = [tuple(int(index) for index in batch) for batch in self._sampler.batches(self._epoch)]
            steps = [batches[start : start + self._per_step] for start in range(0, len(batches), self._per_step)]
            self._shares = tuple(map(self._share, steps))
        return self._shares

    def _share(self, step: Sequence[tuple[int, ...]]) -> Share:
        passes = [
            [part for batch in step[rank :: self._world_size] for part in self._cut(batch)]
            for rank in range(self._world_size)
        ]
        return Share(
            batches=tuple(passes[self._rank]),
            num_utterances=sum(map(len, step)),
            num_passes=max(map(len, passes)),
        )

    def _cut(self, batch: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        most = self._micro_batch or len(batch)
        return (batch[start : start + most] for start in range(0, len(batch), most))
