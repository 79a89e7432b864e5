"""States that may be kept, and bits that no neighbour changes, where all layers are read."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from vietmer_text_videberta.plugin import register_components

from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.protocols import CacheableEncoder
from vietmer_core.sequence import pad_rows
from vietmer_core.testing import run_check

EncoderOf = Callable[..., TokenEncoder]
RowsOf = Callable[[Sequence[int]], list[Tensor]]
(COMPONENT,) = register_components()


@pytest.mark.parametrize("check", ["cacheable_split", "canonical_bits"])
@pytest.mark.parametrize("given", [{"layers": "weighted_sum"}, {"layers": 1, "normalise_layers": True}])
def test_other_layers_pass_the_kit(check: str, given: dict[str, Any]) -> None:
    run_check(COMPONENT, check, params={**COMPONENT.tiny, **given})


@pytest.mark.parametrize(("layers", "width"), [("last", 8), (0, 8), ("weighted_sum", 3 * 8)])
def test_all_layers_that_are_read_are_states(
    encoder_of: EncoderOf, rows_of: RowsOf, layers: str | int, width: int
) -> None:
    encoder = encoder_of(layers=layers).train()
    assert isinstance(encoder, CacheableEncoder)
    assert encoder.obstacle() == ""
    batch = pad_rows(rows_of([6, 0, 3]))
    states = encoder.encode(batch)
    assert states.features.shape == (3, 6, width)
    assert encoder.states_dim == width
    assert not states.features.requires_grad
    assert torch.equal(encoder.finish(states).features, encoder(batch).features)
    nothing = encoder.encode(pad_rows(rows_of([0, 0])))
    assert nothing.features.shape == (2, 0, width)
    assert encoder.finish(nothing).features.shape == (2, 0, 8)
