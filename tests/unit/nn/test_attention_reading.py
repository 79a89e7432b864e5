"""Attention weights are those that a module mixes with, padding has none, and reading them changes nothing."""

import math
from typing import final

import pytest
import torch
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from vietmer_core.nn.attention import MaskedAttention
from vietmer_core.nn.attention_reading import exposing_modules, reading_attention
from vietmer_core.nn.cross_attention import CrossAttentionStream
from vietmer_core.nn.pooling import AttentionPooler, MeanPooler
from vietmer_core.protocols import ExposesAttention
from vietmer_core.sequence import MaskedSequence

DIM, HEADS, TIME = 6, 2, 5
Lengths = st.lists(st.integers(0, TIME), min_size=1, max_size=4)


def sequence(lengths: list[int], *, seed: int, junk: float = math.nan) -> MaskedSequence:
    numbers = torch.Generator().manual_seed(seed)
    features = torch.randn(len(lengths), TIME, DIM, dtype=torch.float64, generator=numbers)
    made = MaskedSequence(features=features, lengths=torch.tensor(lengths))
    return made.with_features(features.masked_fill(~made.mask[..., None], junk))


def pooler() -> AttentionPooler:
    torch.manual_seed(0)
    return AttentionPooler(dim=DIM, num_heads=HEADS).double()


def check_weights(weights: Tensor, lengths: list[int]) -> None:
    """Weights `(batch, …, frames)` over the real frames sum to 1 where there are any; padding has exactly 0."""
    for row, length in zip(weights, lengths, strict=True):
        assert torch.count_nonzero(row[..., length:]) == 0
        total = row.sum(dim=-1)
        torch.testing.assert_close(total, torch.full_like(total, float(length > 0)), rtol=0, atol=1e-12)


@given(lengths=Lengths, seed=st.integers(0, 99))
def test_the_weights_of_a_pooler_leave_padding_out_and_give_what_it_gives(lengths: list[int], seed: int) -> None:
    given_frames, made = sequence(lengths, seed=seed), pooler()
    weights = made.attention_weights(given_frames)
    check_weights(weights, lengths)
    states = rearrange(given_frames.zeroed().features, "batch time (heads dim) -> batch heads time dim", heads=HEADS)
    mixed = rearrange((weights[..., None] * states).sum(dim=2), "batch heads dim -> batch (heads dim)")
    assert torch.equal(mixed, made(given_frames))


@final
class LeakyPooler(nn.Module):
    """The counter-example: a softmax over the padding."""

    def attention_weights(self, given_frames: MaskedSequence) -> Tensor:
        return given_frames.features.sum(dim=-1)[:, None].softmax(dim=-1)


def test_a_softmax_over_the_padding_is_caught() -> None:
    leaky = LeakyPooler()
    assert isinstance(leaky, ExposesAttention)
    with pytest.raises(AssertionError):
        check_weights(leaky.attention_weights(sequence([2, 5], seed=0, junk=0.0)), [2, 5])


@given(lengths=Lengths, seed=st.integers(0, 99))
def test_the_weights_of_an_attention_give_what_it_gives(lengths: list[int], seed: int) -> None:
    torch.manual_seed(1)
    attention = MaskedAttention(query_dim=DIM, key_dim=DIM, num_heads=HEADS, dropout=0.5).double().eval()
    queries, keys = sequence([TIME] * len(lengths), seed=seed + 1).features, sequence(lengths, seed=seed, junk=7.0)
    weights = attention.weights(queries, keys)
    check_weights(weights, lengths)
    value = rearrange(attention.value(keys.features), "batch key (heads dim) -> batch heads key dim", heads=HEADS)
    mixed = rearrange(weights @ value, "batch heads query dim -> batch query (heads dim)")
    expected = attention.output(mixed) * (keys.lengths > 0)[:, None, None]
    torch.testing.assert_close(attention(queries, keys), expected, rtol=0, atol=1e-12)


@given(own=Lengths, seed=st.integers(0, 99))
def test_padded_queries_attend_to_nothing(own: list[int], seed: int) -> None:
    torch.manual_seed(2)
    stream = CrossAttentionStream(dim=DIM, num_heads=HEADS, hidden_dim=4, dropout=0.1).double().eval()
    other = [(7 * length + seed) % (TIME + 1) for length in own]
    weights = stream.attention_weights(sequence(own, seed=seed), sequence(other, seed=seed + 1))
    for row, queries, keys in zip(weights, own, other, strict=True):
        assert torch.count_nonzero(row[:, queries:]) == 0
        check_weights(row[None, :, :queries], [keys])


@final
class Model(nn.Module):
    """A pooler that exposes its attention beside one that has none."""

    def __init__(self) -> None:
        super().__init__()
        self.poolers = nn.ModuleList([pooler(), MeanPooler(dim=DIM)])

    def forward(self, given_frames: MaskedSequence) -> Tensor:
        return torch.cat([made(given_frames) for made in self.poolers], dim=-1)


def test_reading_changes_nothing_and_leaves_nothing_behind() -> None:
    model, given_frames = Model(), sequence([3, 0, 5], seed=3)
    before = model(given_frames)
    modules = exposing_modules(model)
    assert list(modules) == ["poolers.0"]
    with torch.inference_mode(), reading_attention(modules) as found:
        assert torch.equal(model(given_frames), before)
        assert torch.equal(found["poolers.0"], modules["poolers.0"].attention_weights(given_frames))  # type: ignore[operator]  # torch types a module's attributes as tensors
    found.clear()
    model(given_frames)
    assert not found


def test_reading_ends_where_the_forward_pass_fails() -> None:
    model = Model()
    with pytest.raises(ZeroDivisionError), reading_attention(exposing_modules(model)):
        raise ZeroDivisionError
    assert not any(module._forward_hooks for module in model.modules())
