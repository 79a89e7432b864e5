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
        with pytest.raises(AssemblyError, match="at least one batch for each of the"):
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
    assert batches.state_dict() == {"epoch": 0, "consumed": 1}
    assert [batch[0] for batch in batches] == [1, 2, 3, 4]
