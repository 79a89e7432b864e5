"""bfloat16 and float16 under autocast, and `torch.compile`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder
from vietmer_audio_wav2vec2.group_norm import moments_of

from vietmer_core.sequence import MaskedSequence, pad_rows

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]


def batch(*lengths: int) -> MaskedSequence:
    generator = torch.Generator().manual_seed(7)
    return pad_rows([torch.randn(length, 1, generator=generator) for length in lengths])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_stays_finite_with_its_gradients(variant: str, save: Save, build: Build, dtype: torch.dtype) -> None:
    encoder = build(save(variant), dtype=torch.float32, freeze=False).train()
    sequence = batch(9_001, 0, 2_000, 100)
    with torch.autocast("cpu", dtype=dtype):
        features = encoder(sequence).features
    torch.autograd.backward(features.float().square().mean())
    assert torch.isfinite(features).all()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in encoder.parameters())
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        found = encoder.eval()(sequence).features.float()
    with torch.no_grad():
        expected = encoder(sequence).features
    assert (found - expected).abs().max() / expected.abs().max() < 0.1


def test_statistics_of_a_half_are_taken_in_float32() -> None:
    states = (100 + torch.randn(1, 2, 70_000, generator=torch.Generator().manual_seed(1))).half()
    moments = moments_of(states, torch.tensor([70_000]))
    assert moments.mean.dtype == torch.float32
    exact = states.double().var(dim=2, correction=0)
    assert (moments.squares / 70_000 - exact).abs().max() < 1e-3
    assert not torch.isfinite(states.sum(dim=2)).all()  # in float16 the sum is not even finite


@pytest.fixture
def fresh_dynamo() -> Iterator[None]:
    """Nothing compiled before, nothing counted."""
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize(
    ("variant", "given", "breaks", "graphs"),
    [
        (
            "wav2vec2-group",
            {"chunk_seconds": 1.5},
            5,
            3,
        ),  # chunks run as they are, so that their number compiles nothing
        ("wav2vec2-group", {"freeze": False}, 0, 1),
        ("hubert-batch-norm", {}, 0, 1),
        ("wavlm-layer", {"layers": 2}, 0, 1),
    ],
)
def test_compiled_equals_eager(
    variant: str, save: Save, build: Build, given: dict[str, Any], breaks: int, graphs: int
) -> None:
    encoder = build(save(variant), **given)
    compiled = torch.compile(encoder, backend="aot_eager")
    for lengths in ((9_001, 0, 2_000, 100), (9_001, 401, 5_000, 0)):
        sequence = batch(*lengths)
        sequence = sequence.with_features(sequence.features.double())
        expected, found = encoder(sequence), compiled(sequence)
        torch.testing.assert_close(found.features, expected.features, rtol=0, atol=1e-11)
        assert torch.equal(found.lengths, expected.lengths)
    assert sum(counters["graph_break"].values()) == breaks
    assert counters["stats"]["unique_graphs"] == graphs  # other lengths in the same width compile nothing anew
