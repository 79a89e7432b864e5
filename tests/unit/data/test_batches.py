"""The position in a sampler's order, and its shards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.data.batches import EpochBatches
from vietmer_core.errors import AssemblyError


class Counting:
    """Batches of one utterance, another order each epoch."""

    def __init__(self, size: int) -> None:
        self._size = size

    def batches(self, epoch: int) -> list[list[int]]:
        return [[(position + epoch) % self._size] for position in range(self._size)]


@given(size=st.integers(1, 20), world=st.integers(1, 5), epoch=st.integers(0, 3))
def test_shards_are_of_equal_length_and_overlap_nowhere(size: int, world: int, epoch: int) -> None:
    shards = [EpochBatches(Counting(size), rank=rank, world_size=world) for rank in range(world)]
    for shard in shards:
        shard.set_epoch(epoch)
    if size < world:
        sentence = f"an epoch must have at least one batch for each of the {world} processes, but has {size} instead. "
        with pytest.raises(AssemblyError, match=sentence):
            list(shards[0])
        return
    drawn = [[batch[0] for batch in shard] for shard in shards]
    assert {len(part) for part in drawn} == {size // world}
    together = [index for part in drawn for index in part]
    assert len(set(together)) == len(together) == size - size % world


@given(size=st.integers(1, 20), consumed=st.integers(0, 20), epoch=st.integers(0, 3))
def test_a_saved_position_continues_where_it_was(size: int, consumed: int, epoch: int) -> None:
    batches = EpochBatches(Counting(size))
    batches.set_epoch(epoch)
    whole = list(batches)
    taken = min(consumed, size)
    for _ in range(taken):
        batches.consume()
    other = EpochBatches(Counting(size))
    other.load_state_dict(batches.state_dict())
    assert list(other) == whole[taken:]
    assert len(other) == size
    other.set_epoch(epoch + 1)
    assert list(other) == Counting(size).batches(epoch + 1)


def test_what_was_fetched_ahead_does_not_count() -> None:
    batches = EpochBatches(Counting(5))
    ahead = iter(batches)
    next(ahead), next(ahead), next(ahead)
    batches.consume()
    assert batches.state_dict() == {"epoch": 0, "consumed": 1, "world_size": 1}
    assert [batch[0] for batch in batches] == [1, 2, 3, 4]


@given(size=st.integers(5, 40), world=st.integers(1, 5), consumed=st.integers(0, 8))
def test_every_process_continues_with_the_batches_that_are_left_of_its_own(
    size: int, world: int, consumed: int
) -> None:
    for rank in range(world):
        batches = EpochBatches(Counting(size), rank=rank, world_size=world)
        whole = list(batches)
        taken = min(consumed, len(whole))
        for _ in range(taken):
            batches.consume()
        resumed = EpochBatches(Counting(size), rank=rank, world_size=world)
        resumed.load_state_dict(batches.state_dict())
        assert list(resumed) == whole[taken:]


def test_what_an_epoch_leaves_out_comes_in_others() -> None:
    shards = [EpochBatches(Counting(7), rank=rank, world_size=3) for rank in range(3)]
    drawn: set[int] = set()
    for epoch in range(2):
        for shard in shards:
            shard.set_epoch(epoch)
            drawn |= {batch[0] for batch in shard}
    assert drawn == set(range(7))


def test_a_position_belongs_to_its_number_of_processes() -> None:
    saved = EpochBatches(Counting(9), world_size=3).state_dict()
    with pytest.raises(
        AssemblyError, match=r"by as many processes as reached its position, 3, but there are 2 instead"
    ):
        EpochBatches(Counting(9), world_size=2).load_state_dict(saved)
    EpochBatches(Counting(9)).load_state_dict({"epoch": 1, "consumed": 2})  # as saved before processes were counted


@pytest.mark.parametrize(("rank", "world_size"), [(-1, 1), (2, 2), (0, 0)])
def test_a_process_that_is_not_there_is_refused(rank: int, world_size: int) -> None:
    with pytest.raises(ValueError, match="`rank` must be from 0 to"):
        EpochBatches(Counting(9), rank=rank, world_size=world_size)


def test_the_total_counts_every_epoch_as_it_is() -> None:
    class Growing:
        def batches(self, epoch: int) -> list[list[int]]:
            return [[0]] * (4 + epoch)

    assert EpochBatches(Growing()).total(3) == 4 + 5 + 6
    assert EpochBatches(Growing(), rank=1, world_size=2).total(3) == 2 + 2 + 3
