"""Autocast and `torch.compile`."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.sequence import MaskedSequence, pad_rows

EncoderOf = Callable[..., TokenEncoder]
RowsOf = Callable[[Sequence[int]], list[Tensor]]
WAYS = [{}, {"freeze": False}, {"train_layers": 1}, {"lora": {"rank": 2}}, {"layers": "weighted_sum", "freeze": False}]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("given", WAYS)
def test_autocast_gives_finite_values_and_gradients(
    encoder_of: EncoderOf, junk_padded: Any, rows_of: RowsOf, dtype: torch.dtype, given: dict[str, Any]
) -> None:
    encoder, batch = encoder_of(torch.float32, **given), junk_padded(rows_of([9, 0, 4]), 3)
    expected = encoder(batch).features
    with torch.autocast("cpu", dtype=dtype):
        found = encoder(batch).features
    assert torch.isfinite(found).all()
    assert (found - expected).abs().max() < 0.1 * expected.abs().max()
    if found.requires_grad:
        torch.autograd.backward(found.float().pow(2).sum())
        gradients = [value.grad for value in encoder.parameters() if value.grad is not None]
        assert gradients
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


@pytest.mark.parametrize("given", [{"lora": {"rank": 2}}, {"layers": "weighted_sum", "freeze": False}])
def test_compiled_equals_eager_in_one_graph(encoder_of: EncoderOf, rows_of: RowsOf, given: dict[str, Any]) -> None:
    encoder = encoder_of(**given)
    torch._dynamo.reset()
    counters.clear()
    compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
    for lengths in ([7, 0, 3], [2, 9, 5], [4, 11, 1]):
        batch = pad_rows(rows_of(lengths))
        torch.testing.assert_close(compiled(batch).features, encoder(batch).features, rtol=0, atol=1e-12)
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == 2  # the first width, and every width


@pytest.mark.parametrize("recomputes", [False, True])
def test_compiled_gradients_equal_eager_ones(
    encoder_of: EncoderOf, rows_of: RowsOf, loss_of: Callable[[MaskedSequence], Tensor], recomputes: bool
) -> None:
    torch._dynamo.reset()
    batch, found = pad_rows(rows_of([6, 3])), []
    for compiles in (False, True):
        encoder = encoder_of(freeze=False, gradient_checkpointing=recomputes)
        for part in encoder.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        encoder.train()
        run = torch.compile(encoder, backend="aot_eager", fullgraph=True) if compiles else encoder
        torch.autograd.backward(loss_of(run(batch)))
        found.append([value.grad for value in encoder.parameters()])
    for eager, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=0, atol=1e-10)
