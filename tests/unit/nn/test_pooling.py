import math

import pytest
import torch
from torch import Tensor

from vietmer_core.nn.pooling import AttentionPooler, FirstFramePooler, MaxPooler, MeanPooler, MinPooler
from vietmer_core.sequence import MaskedSequence

DIM, HEADS = 6, 2
Pooler = FirstFramePooler | MeanPooler | MaxPooler | MinPooler | AttentionPooler
Extreme = type[MaxPooler] | type[MinPooler]


def poolers() -> list[Pooler]:
    torch.manual_seed(0)
    plain: list[Pooler] = [made(dim=DIM) for made in (FirstFramePooler, MeanPooler, MaxPooler, MinPooler)]
    return [*plain, AttentionPooler(dim=DIM, num_heads=HEADS).double()]


def frames(batch: int = 3, time: int = 5) -> Tensor:
    return torch.randn(batch, time, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def sequence(features: Tensor, *lengths: int) -> MaskedSequence:
    return MaskedSequence(features=features, lengths=torch.tensor(lengths))


def test_mean_is_the_sum_of_the_real_frames_over_their_number() -> None:
    features = frames()
    made = MeanPooler(dim=DIM)(sequence(features, 2, 5, 1))
    expected = torch.stack([features[0, :2].mean(0), features[1].mean(0), features[2, 0]])
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-14)
    assert not torch.allclose(made, features.mean(1))  # what the plain mean would give


def test_cls_is_the_first_real_frame() -> None:
    features = frames()
    assert torch.equal(FirstFramePooler(dim=DIM)(sequence(features, 2, 5, 1)), features[:, 0])


@pytest.mark.parametrize("shift", [-1e6, 0.0, 1e6])
@pytest.mark.parametrize("pooler", [MaxPooler, MinPooler])
def test_max_and_min_are_those_of_the_real_frames(pooler: Extreme, shift: float) -> None:
    features = frames() + shift
    made = pooler(dim=DIM)(sequence(features, 2, 5, 1))
    extreme = torch.amax if pooler is MaxPooler else torch.amin
    expected = torch.stack([extreme(features[row, :length], dim=0) for row, length in enumerate((2, 5, 1))])
    assert torch.equal(made, expected)


ENDS = [0.0, -1e308, 1e308, -math.inf, math.inf]


@pytest.mark.parametrize("value", ENDS)
@pytest.mark.parametrize("pooler", [MaxPooler, MinPooler])
def test_of_equal_frames_the_first_has_the_whole_gradient(pooler: Extreme, value: float) -> None:
    alone = torch.full((1, 3, DIM), value, dtype=torch.float64).requires_grad_()
    padded = torch.full((2, 7, DIM), value, dtype=torch.float64)
    padded[0, 3:] = math.nan
    padded.requires_grad_()
    outputs = [pooler(dim=DIM)(sequence(alone, 3)), pooler(dim=DIM)(sequence(padded, 3, 7))]
    torch.autograd.backward([output.sum() for output in outputs])
    assert alone.grad is not None
    assert padded.grad is not None
    assert (outputs[0] == value).all()
    assert (outputs[1] == value).all()
    first = torch.zeros(7, DIM, dtype=torch.float64)
    first[0] = 1
    assert torch.equal(padded.grad, torch.stack([first, first]))
    assert torch.equal(alone.grad[0], first[:3])


def test_amax_would_share_the_gradient_with_the_padding() -> None:
    features = torch.full((1, 4, DIM), -math.inf, dtype=torch.float64).requires_grad_()
    given = sequence(features, 2)
    torch.autograd.backward(features.masked_fill(~given.mask[..., None], -math.inf).amax(dim=1).sum())
    assert features.grad is not None
    assert features.grad[0].sum(dim=0).tolist() == [0.5] * DIM  # the other half is lost in the padding


def test_attention_is_a_softmax_of_each_heads_query_over_the_real_frames() -> None:
    pooler = AttentionPooler(dim=DIM, num_heads=HEADS).double()
    features = frames()
    made = pooler(sequence(features, 2, 5, 1))
    width = DIM // HEADS
    for row, length in enumerate((2, 5, 1)):
        for head in range(HEADS):
            states = features[row, :length, head * width : (head + 1) * width]
            weights = torch.tensor(
                [float(state @ pooler.query[head].detach()) for state in states], dtype=torch.float64
            )
            expected = (weights.softmax(0)[:, None] * states).sum(0)
            torch.testing.assert_close(made[row, head * width : (head + 1) * width], expected, rtol=0, atol=1e-12)


def test_attention_with_equal_scores_is_the_mean() -> None:
    pooler = AttentionPooler(dim=DIM, num_heads=HEADS).double()
    torch.nn.init.zeros_(pooler.query)
    given = sequence(frames(), 2, 5, 1)
    torch.testing.assert_close(pooler(given), MeanPooler(dim=DIM)(given), rtol=0, atol=1e-14)


def test_the_query_is_trained() -> None:
    pooler = AttentionPooler(dim=DIM, num_heads=HEADS).double()
    pooler(sequence(frames(), 2, 5, 1)).square().sum().backward()
    assert pooler.query.grad is not None
    assert pooler.query.grad.any()


@pytest.mark.parametrize("pooler", poolers(), ids=lambda pooler: type(pooler).__name__)
@pytest.mark.parametrize("junk", [1e4, math.nan, math.inf])
def test_the_padding_reaches_neither_the_embedding_nor_a_gradient(pooler: Pooler, junk: float) -> None:
    clean, dirty = frames(), frames()
    dirty[0, 2:] = junk
    dirty.requires_grad_()
    made = pooler(sequence(dirty, 2, 5, 5))
    assert torch.equal(made, pooler(sequence(clean, 2, 5, 5)))
    made.square().sum().backward()
    assert dirty.grad is not None
    assert dirty.grad.isfinite().all()
    assert not dirty.grad[0, 2:].any()


@pytest.mark.parametrize("pooler", poolers(), ids=lambda pooler: type(pooler).__name__)
def test_a_row_of_no_frames_gives_zeros_and_no_gradient(pooler: Pooler) -> None:
    features = frames().requires_grad_()
    made = pooler(sequence(features, 0, 3, 5))
    made.sum().backward()
    assert not made[0].any()
    assert features.grad is not None
    assert not features.grad[0].any()
    assert features.grad[1:].isfinite().all()


@pytest.mark.parametrize("pooler", poolers(), ids=lambda pooler: type(pooler).__name__)
def test_a_stream_without_time_gives_zeros(pooler: Pooler) -> None:
    made = pooler(sequence(frames(2, 0), 0, 0))
    assert made.shape == (2, pooler.output_dim)
    assert not made.any()


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="`num_heads` must divide the width 6, but is 4 instead"):
        AttentionPooler(dim=6, num_heads=4)
