"""The uniform sampler: every utterance once an epoch, in a fresh order drawn from (seed, epoch) alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from vietmer_sampler_uniform.plugin import UniformSamplerParams, build

from vietmer_core.errors import AssemblyError
from vietmer_core.protocols import Sampler, UtteranceSizes
from vietmer_core.testing import conformance_tests

test_conformance = conformance_tests("sampler", "uniform")

quick = settings(deadline=None, derandomize=True)


def sampler_of(count: int, *, seed: int = 0, **params: object) -> Sampler:
    sizes = UtteranceSizes(
        audio_seconds=np.ones(count, np.float32), text_words=np.ones(count, np.int32), labels=np.zeros(count, np.int32)
    )
    return build(UniformSamplerParams.model_validate(params), sizes=sizes, seed=seed)


def members(sampler: Sampler, epoch: int) -> list[int]:
    return [member for batch in sampler.batches(epoch) for member in batch]


@quick
@given(count=st.integers(0, 60), batch_size=st.integers(1, 9), seed=st.integers(0, 2**63), epoch=st.integers(0, 99))
def test_every_utterance_comes_exactly_once(count: int, batch_size: int, seed: int, epoch: int) -> None:
    sampler = sampler_of(count, seed=seed, batch_size=batch_size)
    assert sorted(members(sampler, epoch)) == list(range(count))
    expected = [batch_size] * (count // batch_size) + [count % batch_size] * (count % batch_size > 0)
    assert [len(batch) for batch in sampler.batches(epoch)] == expected


@quick
@given(count=st.integers(9, 60), batch_size=st.integers(1, 9), epoch=st.integers(0, 99))
def test_drop_last_leaves_only_full_batches(count: int, batch_size: int, epoch: int) -> None:
    sampler = sampler_of(count, batch_size=batch_size, drop_last=True)
    assert [len(batch) for batch in sampler.batches(epoch)] == [batch_size] * (count // batch_size)
    found = members(sampler, epoch)
    assert len(set(found)) == len(found)


@quick
@given(seed=st.integers(0, 2**32 - 2), epoch=st.integers(0, 99))
def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else(seed: int, epoch: int) -> None:
    sampler = sampler_of(40, seed=seed)
    order = members(sampler, epoch)
    assert members(sampler, epoch + 1) != order
    assert members(sampler_of(40, seed=seed + 1), epoch) != order
    assert sampler.batches(epoch) == sampler_of(40, seed=seed).batches(epoch)


@quick
@given(count=st.integers(1, 60), epoch=st.integers(0, 99), drop_last=st.booleans())
def test_a_budget_is_kept_and_filled_as_the_order_allows(count: int, epoch: int, drop_last: bool) -> None:
    """Utterances of 50 frames, every third of 150: a batch of 300 holds six short ones, or two with a long one."""
    seconds = np.where(np.arange(count) % 3 == 0, 3.0, 1.0).astype(np.float32)
    sizes = UtteranceSizes(
        audio_seconds=seconds, text_words=np.zeros(count, np.int32), labels=np.zeros(count, np.int32)
    )
    params = UniformSamplerParams(max_frames=300, drop_last=drop_last)
    if drop_last and count < 2:
        with pytest.raises(AssemblyError, match=r"at most 1 rows, .* but has 2 instead\. Set `drop_last: false`"):
            build(params, sizes=sizes, seed=0)
        return
    batches = build(params, sizes=sizes, seed=0).batches(epoch)
    limits = [2 if seconds[batch].max() > 1 else 6 for batch in map(list, batches)]
    assert all(len(batch) <= limit for batch, limit in zip(batches, limits, strict=True))
    following = [batch[0] for batch in batches[1:]]
    for batch, index in zip(batches, following, strict=False):
        assert len(batch) + 1 > (2 if max(seconds[index], *seconds[list(batch)], 0) > 1 else 6)
    whole = build(UniformSamplerParams(max_frames=300), sizes=sizes, seed=0).batches(epoch)
    assert sorted(index for batch in whole for index in batch) == list(range(count))
    last_is_full = len(whole[-1]) == (2 if seconds[list(whole[-1])].max() > 1 else 6)
    assert batches == (whole if last_is_full or not drop_last else whole[:-1])


def test_the_order_is_uniform() -> None:
    sampler = sampler_of(6, batch_size=1)
    first = np.bincount([members(sampler, epoch)[0] for epoch in range(3000)], minlength=6)
    chi_square = float(((first - 500) ** 2 / 500).sum())
    assert chi_square < 20.5  # the 0.999 quantile for 5 degrees of freedom


def test_drop_last_must_leave_a_batch() -> None:
    with pytest.raises(AssemblyError, match=r"at most 7 rows, .* but has 8 instead\. Set `drop_last: false`"):
        sampler_of(7, drop_last=True)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"max_tokens": 0}, {"drop_last": "perhaps"}, {"shuffle": True}])
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        UniformSamplerParams.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
