"""At batch 1 the encoder equals plain transformers with the same weights, on every length that it can run."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder

from vietmer_core.sequence import pad_rows

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]
Plain = Callable[..., Any]

LENGTHS = [400, 401, 719, 720, 721, 3_333, 9_001]


def waveform(num_samples: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(num_samples, 1, generator=torch.Generator().manual_seed(num_samples)).to(dtype)


def largest_difference(encoder: nn.Module, model: Any, dtype: torch.dtype) -> float:
    """Over the largest output, the worst length."""
    worst = 0.0
    for num_samples in LENGTHS:
        row = waveform(num_samples, dtype)
        with torch.no_grad():
            expected = model(row.T).last_hidden_state  # (1, frames, dim)
            output = encoder(pad_rows([row]))
        assert output.features.shape == expected.shape
        assert output.lengths.tolist() == [expected.shape[1]]
        worst = max(worst, float((output.features - expected).abs().max() / expected.abs().max()))
    return worst


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_the_encoder_equals_transformers(
    variant: str, save: Save, build: Build, plain: Plain, dtype: torch.dtype, tolerance: float
) -> None:
    folder = save(variant)
    assert largest_difference(build(folder, dtype=dtype), plain(folder, dtype=dtype), dtype) <= tolerance


def test_the_comparison_sees_another_epsilon_of_the_group_norm(save: Save, build: Build, plain: Plain) -> None:
    folder = save("wav2vec2-group")
    model = plain(folder)
    model.feature_extractor.conv_layers[0].layer_norm.eps = 1e-3
    assert largest_difference(build(folder), model, torch.float64) > 1e-5


@pytest.mark.parametrize("longest", [5, 29])
def test_buckets_of_distances_are_those_of_wavlm(save: Save, build: Build, plain: Plain, longest: int) -> None:
    folder = save("wavlm-group", num_buckets=32, max_bucket_distance=longest + 20)
    models: list[Any] = [build(folder).backbone.model, plain(folder)]
    own, theirs = (model.encoder.layers[0].attention for model in models)
    distances = torch.arange(-400, 401)
    assert torch.equal(own._buckets(distances), theirs._relative_positions_bucket(distances))


def test_every_layer_is_numbered_as_transformers_numbers_it(
    variant: str, save: Save, build: Build, plain: Plain
) -> None:
    folder = save(variant)
    row = waveform(2_000)
    with torch.no_grad():
        found = plain(folder)(row.T, output_hidden_states=True)
        outputs = [build(folder, layers=number)(pad_rows([row])).features for number in range(4)]
    for output, expected in zip(outputs[:3], found.hidden_states[:3], strict=True):
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(outputs[3], found.last_hidden_state, rtol=0, atol=1e-12)  # behind the final norm
    assert (outputs[2] - outputs[3]).abs().max() > 1e-2


def test_a_lower_layer_needs_no_layer_above(variant: str, save: Save, build: Build) -> None:
    encoder = build(save(variant), layers=1, freeze=False).train()
    assert len(encoder.backbone.model.get_submodule("encoder.layers")._modules) == 1
    torch.autograd.backward(encoder(pad_rows([waveform(2_000)])).features.sum())
    assert [name for name, value in encoder.named_parameters() if value.grad is None] == []


def test_the_weighted_sum_is_that_of_all_layers(variant: str, save: Save, build: Build) -> None:
    folder = save(variant)
    sequence = pad_rows([waveform(2_000)])
    encoder = build(folder, layers="weighted_sum")
    assert encoder.mix.weights is not None
    shares = torch.tensor([0.4, -1.0, 0.2, 0.9], dtype=torch.float64)
    with torch.no_grad():
        encoder.mix.weights.copy_(shares)
        states = [build(folder, layers=number)(sequence).features for number in range(4)]
        expected = sum(share * state for share, state in zip(shares.softmax(0), states, strict=True))
        torch.testing.assert_close(encoder(sequence).features, expected, rtol=0, atol=1e-12)


def test_lengths_are_those_of_the_chain_of_convolutions(save: Save, build: Build, plain: Plain) -> None:
    folder = save("wav2vec2-layer")
    encoder, model = build(folder), plain(folder)
    samples = torch.arange(400, 3_000)
    assert torch.equal(encoder.output_lengths(samples), model._get_feat_extract_output_lengths(samples))
    assert not encoder.output_lengths(torch.arange(400)).any()
    assert encoder.chain.fewest_samples == 400
    assert [encoder.chain.num_frames(int(length)) for length in samples] == encoder.output_lengths(samples).tolist()


def test_rounded_lengths_are_others(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer"))
    wrong = [length for length in range(400, 3_000) if math.ceil(length / 320) != encoder.chain.num_frames(length)]
    assert len(wrong) > 1_000
