"""States that may be kept, and bits that no neighbour changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder
from vietmer_audio_wav2vec2.plugin import register_components

from vietmer_core.protocols import CacheableEncoder
from vietmer_core.sequence import MaskedSequence, pad_rows
from vietmer_core.testing import ConformanceError, run_check

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]
(COMPONENT,) = register_components()
ADAPTER = {"add_adapter": True, "num_adapter_layers": 2, "output_hidden_size": 10}


def batch(*lengths: int) -> MaskedSequence:
    generator = torch.Generator().manual_seed(7)
    return pad_rows([torch.randn(length, 1, generator=generator, dtype=torch.float64) for length in lengths])


@pytest.mark.parametrize(("layers", "width"), [("last", 16), (1, 16), ("weighted_sum", 4 * 16)])
@pytest.mark.parametrize("windows", [{}, {"window_seconds": 0.4, "overlap_seconds": 0.1}])
def test_all_layers_that_are_read_are_states(
    variant: str, save: Save, build: Build, layers: str | int, width: int, windows: dict[str, Any]
) -> None:
    encoder = build(save(variant), layers=layers, **windows).train()
    assert isinstance(encoder, CacheableEncoder)
    sequence = batch(20_011, 5_000, 0, 401)
    states = encoder.encode(sequence)
    assert states.features.shape[2] == encoder.states_dim == width
    assert not states.features.requires_grad
    assert torch.equal(encoder.finish(states).features, encoder.eval()(sequence).features)


def test_an_adapter_stands_before_the_states_and_the_norm_behind_them(save: Save, build: Build) -> None:
    folder = save("wav2vec2-layer", **ADAPTER)
    plain, normalised = build(folder), build(folder, normalise_layers=True)
    sequence = batch(9_001, 2_345)
    states = normalised.encode(sequence)
    assert plain.states_dim == states.features.shape[2] == 10
    assert torch.equal(states.features, plain.encode(sequence).features)
    assert torch.equal(normalised(sequence).features, layer_norm(states.features, (10,)))


@pytest.mark.parametrize(
    ("given", "obstacle"),
    [
        ({}, ""),
        ({"train_layers": 1}, "`train_layers: 1` trains its last layers"),
        ({"spec_augment": {}}, "`spec_augment` hides other spans in every epoch"),
        ({"lora": {}, "spec_augment": {}}, "`lora` trains low-rank updates inside it"),
    ],
)
def test_what_changes_the_states_is_named(save: Save, build: Build, given: dict[str, Any], obstacle: str) -> None:
    assert build(save("wav2vec2-group"), **given).obstacle() == obstacle


@pytest.mark.parametrize("given", [{}, {"window_seconds": 0.4, "overlap_seconds": 0.1, "chunk_seconds": 0.3}])
def test_neighbours_change_no_bit(variant: str, save: Save, given: dict[str, Any]) -> None:
    run_check(COMPONENT, "canonical_bits", params={"checkpoint": str(save(variant)), **given})


def test_statistics_over_all_rows_at_once_would_be_seen(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"checkpoint": str(save("wav2vec2-layer"))}

    def over_the_batch(module: nn.LayerNorm, states: Tensor) -> Tensor:
        normed = layer_norm(states, module.normalized_shape, module.weight, module.bias, module.eps)
        return normed + (states.sum() - states.sum(dim=(1, 2)).sum())  # nothing but rounding

    monkeypatch.setattr(nn.LayerNorm, "forward", over_the_batch)
    with pytest.raises(ConformanceError, match="not a bit may differ"):
        run_check(COMPONENT, "canonical_bits", params=params)
