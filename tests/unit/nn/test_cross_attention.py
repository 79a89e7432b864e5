"""The crossed streams, against torch's own attention on one row without padding."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from vietmer_core.nn.cross_attention import CrossAttentionBlock, CrossAttentionStream
from vietmer_core.sequence import MaskedSequence

DIM, HEADS, HIDDEN = 8, 2, 12

orders = pytest.mark.parametrize("sequential", [True, False], ids=["sequential", "parallel"])


def block_of(*, sequential: bool) -> CrossAttentionBlock:
    torch.manual_seed(0)
    made = CrossAttentionBlock(dim=DIM, num_heads=HEADS, hidden_dim=HIDDEN, dropout=0.1, sequential=sequential)
    return made.double().eval()


def frames(time: int, seed: int) -> Tensor:
    return torch.randn(1, time, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sequence(features: Tensor, *lengths: int) -> MaskedSequence:
    return MaskedSequence(features=features, lengths=torch.tensor(lengths))


def oracle(stream: CrossAttentionStream, own: Tensor, other: Tensor) -> Tensor:
    """x + MHA(norm(x), norm(y), norm(y)), then x + W2 GELU(W1 norm(x)); torch's attention, the formula for the rest."""
    attention = nn.MultiheadAttention(DIM, HEADS, batch_first=True, dtype=torch.float64)
    inward = (stream.attention.query, stream.attention.key, stream.attention.value)
    attention.in_proj_weight.data = torch.cat([layer.weight for layer in inward])
    attention.in_proj_bias.data = torch.cat([layer.bias for layer in inward])
    attention.out_proj.load_state_dict(stream.attention.output.state_dict())
    keys = stream.key_norm(other)
    own = own + attention(stream.query_norm(own), keys, keys, need_weights=False)[0]
    first, second = stream.feed_forward.expand, stream.feed_forward.contract
    hidden = functional.gelu(stream.feed_forward_norm(own) @ first.weight.T + first.bias)
    return own + hidden @ second.weight.T + second.bias


def expected_of(block: CrossAttentionBlock, text: Tensor, audio: Tensor, *, sequential: bool) -> tuple[Tensor, Tensor]:
    updated = oracle(block.text, text, audio)
    return updated, oracle(block.audio, audio, updated if sequential else text)


@orders
@torch.no_grad()
def test_a_block_is_torchs_attention_in_its_order(sequential: bool) -> None:
    block, text, audio = block_of(sequential=sequential), frames(4, 1), frames(6, 2)
    found = block(sequence(text, 4), sequence(audio, 6))
    expected = expected_of(block, text, audio, sequential=sequential)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.features, other, rtol=0, atol=1e-12)
    _, other_order = expected_of(block, text, audio, sequential=not sequential)
    assert not torch.allclose(found[1].features, other_order, atol=1e-3)


@orders
def test_a_row_without_the_other_modality_is_passed_on_and_trains_its_own_feed_forward_alone(sequential: bool) -> None:
    block, audio = block_of(sequential=sequential), frames(6, 2)
    text = torch.full((1, 3, DIM), 1e4, dtype=torch.float64, requires_grad=True)
    _, found = block(sequence(text, 0), sequence(audio, 6))
    stream = block.audio
    expected = audio + stream.feed_forward(stream.feed_forward_norm(audio))
    torch.testing.assert_close(found.features, expected, rtol=0, atol=1e-12)
    torch.autograd.backward(found.features.pow(3).sum())
    assert text.grad is not None
    assert torch.all(text.grad == 0)
    trained = {name for name, weight in block.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert trained
    assert all(name.startswith("audio.feed_forward") for name in trained)
