"""Checks of samplers in use: several processes, continuing in the middle of an epoch, limits of a batch."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.data.batch_params import BatchLimits
from vietmer_core.data.batches import EpochBatches
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import TooLongError
from vietmer_core.protocols import Sampler
from vietmer_core.shapes import frames_of
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.failures import ConformanceError
from vietmer_core.testing.profiles import check_settings
from vietmer_core.testing.sampler_checks import sizes_of

WORLDS: Final = (1, 2, 3, 4, 5)
LAUNCHED: Final = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
"""What launchers of several processes set in each."""
BUDGETS: Final = (
    {"batch_size": 3, "max_frames": None, "max_tokens": None},
    {"batch_size": None, "max_frames": 700, "max_tokens": None},
    {"batch_size": 4, "max_frames": 900, "max_tokens": 60},
)
"""The longest utterance of the splits drawn has 600 frames, or 652 at its canonical edge, and 29 words."""


def _fail(check: str, candidate: Candidate, message: str) -> ConformanceError:
    return ConformanceError(f"check `{check}`, component `{candidate.name}`: {message}")


def _built(candidate: Candidate, sizes: UtteranceSizes, **changes: int | None) -> Sampler:
    params = type(candidate.params).model_validate({**candidate.params.model_dump(), **changes})
    sampler: Sampler = candidate.component.build(params, sizes=sizes, seed=0)
    return sampler


@contextmanager
def _launched(*, rank: int, world_size: int) -> Iterator[None]:
    """The environment of one process of several."""
    before = {name: os.environ.get(name) for name in LAUNCHED}
    os.environ.update({"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size)})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _shard(
    candidate: Candidate, sizes: UtteranceSizes, *, epoch: int, rank: int, world_size: int, per_step: int
) -> list[tuple[tuple[int, ...], ...]]:
    """What one process takes of each step of an epoch, with a sampler that it has built for itself."""
    with _launched(rank=rank, world_size=world_size):
        batches = EpochBatches(_built(candidate, sizes), rank=rank, world_size=world_size, per_step=per_step)
        batches.set_epoch(epoch)
        return [share.batches for share in batches.shares()]


def sampler_shards(candidate: Candidate) -> None:
    """Each process builds it for itself: together they take what one process takes, step by step, and none twice."""

    @check_settings()
    @given(
        num_utterances=st.integers(1, 60),
        world_size=st.sampled_from(WORLDS),
        per_step=st.integers(1, 6),
        epoch=st.integers(0, 5),
    )
    def holds(num_utterances: int, world_size: int, per_step: int, epoch: int) -> None:
        sizes = sizes_of(num_utterances, 0)
        whole = [tuple(int(index) for index in batch) for batch in _built(candidate, sizes).batches(epoch)]
        where = f"epoch {epoch} of a split of {num_utterances}, {per_step} batches a step, {world_size} processes"
        shards = [
            _shard(candidate, sizes, epoch=epoch, rank=rank, world_size=world_size, per_step=per_step)
            for rank in range(world_size)
        ]
        steps = [whole[start : start + per_step] for start in range(0, len(whole), per_step)]
        lengths = [len(shard) for shard in shards]
        if set(lengths) != {len(steps)}:
            message = f"{where}: they take {lengths} steps, not {len(steps)} each."
            raise _fail("sampler_shards", candidate, message)
        for number, step in enumerate(steps):
            taken = [shard[number] for shard in shards]
            together = [taken[turn % world_size][turn // world_size] for turn in range(sum(map(len, taken)))]
            if together != step:
                message = f"{where}: in step {number} they do not take together what one process takes."
                raise _fail("sampler_shards", candidate, message)

    holds()


def sampler_continues(candidate: Candidate) -> None:
    """From a saved position, a new process goes on with exactly the batches that are left, and then the next epoch."""

    @check_settings()
    @given(num_utterances=st.integers(1, 60), epoch=st.integers(0, 3), data=st.data())
    def holds(num_utterances: int, epoch: int, data: st.DataObject) -> None:
        sizes = sizes_of(num_utterances, 0)
        begun = EpochBatches(_built(candidate, sizes))
        for passed in range(epoch):
            begun.set_epoch(passed)
            list(begun)
        begun.set_epoch(epoch)
        whole = begun.shares()
        consumed = data.draw(st.integers(0, len(whole)), label="consumed")
        for _ in range(consumed):
            begun.consume()
        resumed = EpochBatches(_built(candidate, sizes))
        resumed.load_state_dict(begun.state_dict())
        where = f"epoch {epoch} of a split of {num_utterances}"
        if resumed.shares() != whole[consumed:]:
            message = f"{where}: after {consumed} of {len(whole)} batches it goes on with others than those left."
            raise _fail("sampler_continues", candidate, message)
        begun.set_epoch(epoch + 1)
        resumed.set_epoch(epoch + 1)
        if begun.shares() != resumed.shares():
            raise _fail("sampler_continues", candidate, f"{where}: the epoch after it is another one where it went on.")

    holds()


def sampler_limits(candidate: Candidate) -> None:
    """Parameters that are `BatchLimits` hold: rows, rows × frames, rows × words; what is too long for them is told."""
    if not isinstance(candidate.params, BatchLimits):
        return

    @check_settings()
    @given(num_utterances=st.integers(1, 60), limits=st.sampled_from(BUDGETS), epoch=st.integers(0, 5))
    def holds(num_utterances: int, limits: dict[str, int | None], epoch: int) -> None:
        sizes = sizes_of(num_utterances, 0)
        for batch in _built(candidate, sizes, **limits).batches(epoch):
            found = padded(sizes, batch)
            over = [name for name, limit in limits.items() if limit is not None and found[name] > limit]
            if over:
                message = f"a batch of a split of {num_utterances} has {found}, but the limits are {limits}."
                raise _fail("sampler_limits", candidate, message)

    holds()
    _tells_what_is_too_long(candidate)


def padded(sizes: UtteranceSizes, batch: Sequence[int]) -> dict[str, int]:
    """What a batch holds, by the name of the limit."""
    frames = frames_of(sizes.audio_seconds[list(batch)])
    words = sizes.text_words[list(batch)].astype(np.int64)
    return {
        "batch_size": len(batch),
        "max_frames": len(batch) * int(frames.max()),
        "max_tokens": len(batch) * int(words.max()),
    }


def _tells_what_is_too_long(candidate: Candidate) -> None:
    sizes = sizes_of(40, 0)
    longest = {"max_frames": frames_of(sizes.audio_seconds), "max_tokens": sizes.text_words.astype(np.int64)}
    for name, lengths in longest.items():
        budget = int(lengths.max()) - 1
        try:
            _built(candidate, sizes, **{name: budget})
        except TooLongError as error:
            if error.index == int(lengths.argmax()) and str(budget) in str(error) and f"`sampler.{name}`" in str(error):
                continue
            message = f"`{name}: {budget}` names another utterance or limit: {error}"
            raise _fail("sampler_limits", candidate, message) from error
        message = f"`{name}: {budget}` is taken, but an utterance has {budget + 1}: raise `TooLongError` when building."
        raise _fail("sampler_limits", candidate, message)
