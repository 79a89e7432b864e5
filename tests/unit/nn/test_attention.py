import pytest
import torch
from torch import Tensor, nn

from vietmer_core.nn.attention import MaskedAttention
from vietmer_core.sequence import MaskedSequence

DIM, KEY_DIM, HEADS = 8, 6, 2


def attention(*, dropout: float = 0.0) -> MaskedAttention:
    torch.manual_seed(0)
    return MaskedAttention(query_dim=DIM, key_dim=KEY_DIM, num_heads=HEADS, dropout=dropout).double()


def reference(ours: MaskedAttention) -> nn.MultiheadAttention:
    """torch's own attention with the same weights."""
    theirs = nn.MultiheadAttention(DIM, HEADS, kdim=KEY_DIM, vdim=KEY_DIM, batch_first=True).double()
    with torch.no_grad():
        for name, layer in (("q", ours.query), ("k", ours.key), ("v", ours.value)):
            getattr(theirs, f"{name}_proj_weight").copy_(layer.weight)
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    return theirs


def states(batch: int, time: int, dim: int, seed: int = 1) -> Tensor:
    return torch.randn(batch, time, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def keys(features: Tensor, *lengths: int) -> MaskedSequence:
    return MaskedSequence(features=features, lengths=torch.tensor(lengths))


def test_without_padding_it_is_torchs_attention() -> None:
    ours = attention()
    queries, features = states(3, 4, DIM), states(3, 5, KEY_DIM, seed=2)
    expected, _ = reference(ours)(queries, features, features, need_weights=False)
    torch.testing.assert_close(ours(queries, keys(features, 5, 5, 5)), expected, rtol=0, atol=1e-12)


def test_with_padding_it_is_torchs_attention_over_the_real_keys() -> None:
    ours = attention()
    queries, features = states(2, 4, DIM), states(2, 5, KEY_DIM, seed=2)
    features[0, 3:] = 1e4
    made = ours(queries, keys(features, 3, 5))
    for row, length in enumerate((3, 5)):
        real = features[row : row + 1, :length]
        expected, _ = reference(ours)(queries[row : row + 1], real, real, need_weights=False)
        torch.testing.assert_close(made[row : row + 1], expected, rtol=0, atol=1e-12)


def test_ignoring_the_lengths_would_be_noticed() -> None:
    ours = attention()
    queries, features = states(1, 4, DIM), states(1, 5, KEY_DIM, seed=2)
    assert not torch.allclose(ours(queries, keys(features, 3)), ours(queries, keys(features, 5)), atol=1e-3)


def test_a_row_without_keys_gives_zeros_and_finite_gradients() -> None:
    ours = attention()
    queries = states(2, 4, DIM).requires_grad_()
    features = states(2, 5, KEY_DIM, seed=2).requires_grad_()
    made = ours(queries, keys(features, 0, 5))
    made.square().sum().backward()
    assert not made[0].any()
    assert made[1].any()
    gradients = [queries.grad, features.grad, *(parameter.grad for parameter in ours.parameters())]
    for gradient in gradients:
        assert gradient is not None
        assert gradient.isfinite().all()
    assert features.grad is not None
    assert not features.grad[0].any()


def test_no_keys_at_all_are_legal() -> None:
    made = attention()(states(2, 4, DIM), keys(torch.zeros(2, 0, KEY_DIM, dtype=torch.float64), 0, 0))
    assert made.shape == (2, 4, DIM)
    assert not made.any()


def test_dropout_acts_in_training_alone() -> None:
    ours, queries, features = attention(dropout=0.5), states(1, 4, DIM), states(1, 5, KEY_DIM, seed=2)
    assert not torch.equal(ours(queries, keys(features, 5)), ours(queries, keys(features, 5)))
    ours.eval()
    assert torch.equal(ours(queries, keys(features, 5)), ours(queries, keys(features, 5)))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"^`num_heads` must divide the width 8, but is 3 instead\.$"):
        MaskedAttention(query_dim=8, key_dim=8, num_heads=3, dropout=0.0)
