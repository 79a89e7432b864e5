import math

import pytest
import torch
from torch import Tensor, nn

from vietmer_core.nn.transformer import TransformerBlock, TransformerEncoder, sinusoidal_positions
from vietmer_core.sequence import MaskedSequence

DIM, HEADS, HIDDEN = 8, 2, 16
CPU = torch.device("cpu")


def positions(time: int, dim: int) -> Tensor:
    return sinusoidal_positions(time, dim, device=CPU, dtype=torch.float64)


@pytest.mark.parametrize("dim", [1, 2, 7, 8])
def test_positions_follow_the_formula(dim: int) -> None:
    table = positions(5, dim)
    assert table.shape == (5, dim)
    for time in range(5):
        for column in range(dim):
            angle = time / 10_000 ** ((column - column % 2) / dim)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert float(table[time, column]) == pytest.approx(expected, abs=1e-12)


def test_a_position_does_not_depend_on_how_many_follow() -> None:
    assert torch.equal(positions(3, DIM), positions(9, DIM)[:3])


def test_no_two_positions_are_alike() -> None:
    table = positions(3000, DIM)
    assert len({tuple(row) for row in table.tolist()}) == 3000


def test_positions_come_in_the_asked_dtype_from_float64() -> None:
    single = sinusoidal_positions(2000, DIM, device=CPU, dtype=torch.float32)
    assert single.dtype == torch.float32
    assert torch.equal(single, positions(2000, DIM).float())


def reference(block: TransformerBlock) -> nn.TransformerEncoderLayer:
    """torch's pre-norm layer with the same weights."""
    theirs = nn.TransformerEncoderLayer(
        DIM, HEADS, HIDDEN, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    attention = block.attention
    with torch.no_grad():
        parts = (attention.query, attention.key, attention.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    theirs.self_attn.out_proj.load_state_dict(attention.output.state_dict())
    theirs.norm1.load_state_dict(block.attention_norm.state_dict())
    theirs.norm2.load_state_dict(block.feed_forward_norm.state_dict())
    theirs.linear1.load_state_dict(block.feed_forward.expand.state_dict())
    theirs.linear2.load_state_dict(block.feed_forward.contract.state_dict())
    return theirs


def encoder() -> TransformerEncoder:
    torch.manual_seed(0)
    return TransformerEncoder(dim=DIM, num_layers=2, num_heads=HEADS, hidden_dim=HIDDEN, dropout=0.0).double()


def frames(batch: int, time: int) -> Tensor:
    return torch.randn(batch, time, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_a_block_without_padding_is_torchs_pre_norm_layer() -> None:
    torch.manual_seed(0)
    block = TransformerBlock(dim=DIM, num_heads=HEADS, hidden_dim=HIDDEN, dropout=0.0).double()
    features = frames(2, 5)
    made = block(MaskedSequence(features=features, lengths=torch.tensor([5, 5]))).features
    torch.testing.assert_close(made, reference(block)(features), rtol=0, atol=1e-12)


def test_real_frames_are_the_same_alone_and_beside_a_longer_neighbour() -> None:
    model, features = encoder(), frames(2, 6)
    features[0, 3:] = 1e4
    beside = model(MaskedSequence(features=features, lengths=torch.tensor([3, 6]))).features[0, :3]
    alone = model(MaskedSequence(features=features[:1, :3], lengths=torch.tensor([3]))).features[0]
    torch.testing.assert_close(beside, alone, rtol=0, atol=1e-12)


def test_the_stack_keeps_lengths_and_ends_in_a_norm() -> None:
    given = MaskedSequence(features=frames(2, 6), lengths=torch.tensor([3, 6]))
    made = encoder()(given)
    assert made.lengths is given.lengths
    torch.testing.assert_close(made.features.mean(-1), torch.zeros(2, 6, dtype=torch.float64), rtol=0, atol=1e-12)


def test_without_positions_the_order_of_frames_changes_nothing() -> None:
    """Positions are the caller's: the stack alone cannot tell an order."""
    model, features = encoder(), frames(1, 5)
    lengths = torch.tensor([5])
    order = torch.tensor([3, 1, 4, 0, 2])
    plain = model(MaskedSequence(features=features, lengths=lengths)).features[:, order]
    shuffled = model(MaskedSequence(features=features[:, order], lengths=lengths)).features
    torch.testing.assert_close(plain, shuffled, rtol=0, atol=1e-12)
    placed = features + positions(5, DIM)
    with_positions = model(MaskedSequence(features=placed, lengths=lengths)).features[:, order]
    moved = model(MaskedSequence(features=features[:, order] + positions(5, DIM), lengths=lengths)).features
    assert not torch.allclose(with_positions, moved, atol=1e-3)
