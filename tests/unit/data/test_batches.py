"""The position in a sampler's order, its steps and their shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.data.batches import EpochBatches
from vietmer_core.data.draw import Draw
from vietmer_core.errors import AssemblyError


class Counting:
    """Batches of one utterance, another order each epoch."""

    def __init__(self, size: int) -> None:
        self._size = size

    def batches(self, epoch: int) -> list[list[int]]:
        return [[(position + epoch) % self._size] for position in range(self._size)]


class Growing:
    """Batches of 1, 2, 3, … utterances."""

    def batches(self, epoch: int) -> list[list[int]]:
        return [[100 * number + row for row in range(number + 1)] for number in range(4 + epoch)]


def positions(batches: EpochBatches) -> list[list[int]]:
    return [[draw.index for draw in batch] for batch in batches]


@given(size=st.integers(1, 20), world=st.integers(1, 5), per_step=st.integers(1, 6), epoch=st.integers(0, 3))
def test_the_processes_take_together_what_one_takes_step_by_step(
    size: int, world: int, per_step: int, epoch: int
) -> None:
    shards = [EpochBatches(Counting(size), rank=rank, world_size=world, per_step=per_step) for rank in range(world)]
    alone = EpochBatches(Counting(size), per_step=per_step)
    for batches in (alone, *shards):
        batches.set_epoch(epoch)
    assert {len(shard) for shard in shards} == {len(alone)} == {-(-size // per_step)}
    for number, share in enumerate(alone.shares()):
        shares = [shard.shares()[number] for shard in shards]
        assert sorted(batch for other in shares for batch in other.batches) == sorted(share.batches)
        assert {other.num_utterances for other in shares} == {share.num_utterances}
        assert {other.num_passes for other in shares} == {max(len(other.batches) for other in shares)}


def test_a_lost_tail_would_be_noticed() -> None:
    """The counter-example: an epoch of 7 batches cut to whole steps of 3, as is often done."""
    whole = EpochBatches(Counting(7), per_step=3)
    drawn = [batch for share in whole.shares() for batch in share.batches]
    cut = drawn[: len(drawn) // 3 * 3]
    assert sorted(drawn) == [(index,) for index in range(7)] != sorted(cut)


@given(size=st.integers(1, 20), consumed=st.integers(0, 20), epoch=st.integers(0, 3), per_step=st.integers(1, 3))
def test_a_saved_position_continues_where_it_was(size: int, consumed: int, epoch: int, per_step: int) -> None:
    batches = EpochBatches(Counting(size), per_step=per_step)
    batches.set_epoch(epoch)
    whole = batches.shares()
    taken = min(consumed, len(whole))
    for _ in range(taken):
        batches.consume()
    other = EpochBatches(Counting(size), per_step=per_step)
    other.load_state_dict(batches.state_dict())
    assert other.shares() == whole[taken:]
    assert len(other) == len(whole)
    other.set_epoch(epoch + 1)
    assert positions(other) == Counting(size).batches(epoch + 1)


def test_what_was_fetched_ahead_does_not_count() -> None:
    batches = EpochBatches(Counting(5))
    ahead = iter(batches)
    next(ahead), next(ahead), next(ahead)
    batches.consume()
    assert {**batches.state_dict(), "order": ""} == {"epoch": 0, "consumed": 1, "per_step": 1, "order": ""}
    assert positions(batches) == [[1], [2], [3], [4]]


@given(size=st.integers(1, 40), worlds=st.tuples(st.integers(1, 5), st.integers(1, 5)), consumed=st.integers(0, 8))
def test_another_number_of_processes_continues_with_what_is_left(
    size: int, worlds: tuple[int, int], consumed: int
) -> None:
    begun = EpochBatches(Counting(size), world_size=worlds[0], per_step=4)
    for _ in range(min(consumed, len(begun))):
        begun.consume()
    left: set[int] = set()
    for rank in range(worlds[1]):
        resumed = EpochBatches(Counting(size), rank=rank, world_size=worlds[1], per_step=4)
        resumed.load_state_dict(begun.state_dict())
        left |= {index for batch in positions(resumed) for index in batch}
    assert left == set(range(min(4 * consumed, size), size))


def test_a_position_in_an_epoch_belongs_to_its_batches() -> None:
    begun = EpochBatches(Counting(9))
    at_the_start = begun.state_dict()
    begun.consume()
    with pytest.raises(
        AssemblyError, match=r"with the batches that it began epoch 1 with, but the sampler gives others"
    ):
        EpochBatches(Growing()).load_state_dict(begun.state_dict())
    EpochBatches(Growing()).load_state_dict(at_the_start)


def test_a_position_belongs_to_the_batches_of_a_step() -> None:
    saved = EpochBatches(Counting(9), per_step=3).state_dict()
    with pytest.raises(
        AssemblyError, match=r"as many batches a step as it began with, 3, but takes 2 instead: .* to 3\."
    ):
        EpochBatches(Counting(9), per_step=2).load_state_dict(saved)


@pytest.mark.parametrize(("rank", "world_size"), [(-1, 1), (2, 2), (0, 0)])
def test_a_process_that_is_not_there_is_refused(rank: int, world_size: int) -> None:
    with pytest.raises(ValueError, match="`rank` must be from 0 to"):
        EpochBatches(Counting(9), rank=rank, world_size=world_size)


def test_the_total_counts_the_steps_of_every_epoch_as_it_is() -> None:
    assert EpochBatches(Growing()).total(3) == 4 + 5 + 6
    assert EpochBatches(Growing(), rank=1, world_size=2).total(3) == 2 + 3 + 3


@given(most=st.integers(1, 5), world=st.integers(1, 3))
def test_a_large_batch_is_cut_and_nothing_is_lost(most: int, world: int) -> None:
    shards = [EpochBatches(Growing(), rank=rank, world_size=world, micro_batch=most) for rank in range(world)]
    drawn = [batch for shard in shards for batch in positions(shard)]
    assert max(map(len, drawn)) <= most
    assert sorted(index for batch in drawn for index in batch) == [i for batch in Growing().batches(0) for i in batch]
    shards[0].set_micro_batch(None)
    assert positions(shards[0]) == Growing().batches(0)[::world]


def test_each_draw_says_of_which_epoch_it_is() -> None:
    batches = EpochBatches(Growing())
    batches.set_epoch(3)
    assert list(batches)[:2] == [[Draw(0, 3)], [Draw(100, 3), Draw(101, 3)]]
