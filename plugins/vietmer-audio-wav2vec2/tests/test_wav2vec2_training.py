"""What is trained: nothing, the last layers, all, low-rank updates; and what stays as it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder

from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.sequence import MaskedSequence, pad_rows

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]


def batch() -> MaskedSequence:
    generator = torch.Generator().manual_seed(7)
    rows = [torch.randn(length, 1, generator=generator, dtype=torch.float64) for length in (9_001, 0, 3_000)]
    return pad_rows(rows)


def trained(encoder: Wav2Vec2Encoder) -> set[str]:
    """Parameters that a step changes; every one that asks for a gradient must get one."""
    encoder.zero_grad()
    output = encoder.train()(batch()).features
    if output.requires_grad:
        torch.autograd.backward(output.square().sum())
    asked = {name for name, value in encoder.named_parameters() if value.requires_grad}
    assert asked == {name for name, value in encoder.named_parameters() if value.grad is not None}
    return {name.removeprefix("backbone.model.") for name in asked}


def test_frozen_is_frozen_in_training_too(variant: str, save: Save, build: Build) -> None:
    encoder = build(save(variant))
    expected = encoder(batch()).features
    assert trained(encoder) == set()
    assert torch.equal(encoder(batch()).features, expected)  # no dropout, no SpecAugment, no LayerDrop
    assert not any(module.training for module in encoder.backbone.model.modules())


def test_the_last_layers_are_trained_and_no_others(variant: str, save: Save, build: Build) -> None:
    names = trained(build(save(variant), train_layers=1))
    top = {"encoder.layer_norm"} if variant.endswith(("layer", "batch-norm")) else set()
    assert {name.rsplit(".", 1)[0] for name in names if "layers.2." not in name} == top
    assert any("layers.2.attention.q_proj" in name for name in names)


def test_everything_is_trained(variant: str, save: Save, build: Build) -> None:
    encoder = build(save(variant), freeze=False)
    assert trained(encoder) == {name.removeprefix("backbone.model.") for name, _ in encoder.named_parameters()}


def test_the_weights_of_the_layers_are_trained_over_a_frozen_network(variant: str, save: Save, build: Build) -> None:
    assert trained(build(save(variant), layers="weighted_sum")) == {"mix.weights"}


def test_low_rank_updates_reach_queries_and_values(variant: str, save: Save, build: Build) -> None:
    folder = save(variant)
    encoder = build(folder, lora={"rank": 2})
    names = trained(encoder)
    assert {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in names} == {"q_proj", "v_proj"}
    assert len(names) == 3 * 2 * 2
    with torch.no_grad():
        before = encoder.eval()(batch()).features
        torch.testing.assert_close(before, build(folder)(batch()).features, rtol=0, atol=1e-12)
        for name, value in encoder.named_parameters():
            if "lora_B" in name:
                value.add_(0.3)
        assert (encoder(batch()).features - before).abs().max() > 1e-3


def test_gradual_unfreezing_frees_from_the_top(save: Save, build: Build) -> None:
    encoder = build(save("wavlm-layer"), freeze=False, unfreeze={"first_epoch": 1, "layers": 2})
    found = []
    for epoch in range(3):
        encoder.backbone.begin_epoch(epoch)
        names = trained(encoder)
        found.append([any(f"layers.{layer}.attention" in name for name in names) for layer in range(3)])
    assert found == [[False, False, False], [False, True, True], [True, True, True]]
    assert any("feature_extractor" in name for name in names)


def gradients(encoder: Wav2Vec2Encoder, draws: Tensor) -> dict[str, Tensor]:
    encoder.zero_grad()
    with UtteranceDropout(draws, stream=1):
        output = encoder.train()(batch().with_draws(draws)).features
    torch.autograd.backward(output.square().sum())
    return {name: value.grad for name, value in encoder.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("given", [{"freeze": False}, {"train_layers": 2}, {"lora": {"dropout": 0.2}}])
def test_gradient_checkpointing_gives_the_same_gradients(
    variant: str, save: Save, build: Build, given: dict[str, Any]
) -> None:
    folder, draws = save(variant), torch.tensor([1, 2, 3])
    plain, checkpointed = build(folder, **given), build(folder, **given, gradient_checkpointing=True)
    checkpointed.load_state_dict(plain.state_dict())
    expected, found = gradients(plain, draws), gradients(checkpointed, draws)
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-9)


def test_gradient_checkpointing_computes_trained_layers_twice(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer"), train_layers=2, gradient_checkpointing=True)
    calls: list[int] = []
    for number, layer in enumerate(encoder.get_submodule("backbone.model.encoder.layers").children()):
        layer.get_submodule("attention").register_forward_pre_hook(lambda *_, number=number: calls.append(number))
    gradients(encoder, torch.tensor([1, 2, 3]))
    assert sorted(calls) == [0, 1, 1, 2, 2]


def test_state_is_saved_and_read_again(variant: str, save: Save, build: Build, tmp_path: Path) -> None:
    folder = save(variant)
    encoder = build(folder, train_layers=1, layers="weighted_sum")
    with torch.no_grad():
        for value in encoder.parameters():
            if value.requires_grad:
                value.add_(0.1)
    frozen = {f"backbone.{name}" for name in encoder.backbone.frozen_names()}
    kept = {name: value for name, value in encoder.state_dict().items() if name not in frozen}
    torch.save(kept, tmp_path / "state.pt")
    again = build(folder, train_layers=1, layers="weighted_sum")
    found = again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True), strict=False)
    counters = {name for name in frozen if name.endswith("num_batches_tracked")}  # torch fills these in by itself
    assert set(found.missing_keys) | counters == frozen
    assert not found.unexpected_keys
    with torch.no_grad():
        assert torch.equal(again(batch()).features, encoder.eval()(batch()).features)
    assert 0 < len(kept) < len(encoder.state_dict()) / 2


def test_layers_are_never_dropped(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer", layerdrop=1.0), freeze=False)
    assert any("layers.0." in name for name in trained(encoder))
    assert any("layers.2." in name for name in trained(encoder))


def test_stored_statistics_of_a_batch_norm_are_used_in_training_too(save: Save, build: Build) -> None:
    off = dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0)
    encoder = build(save("hubert-batch-norm", **off), freeze=False)
    before = {name: value.clone() for name, value in encoder.named_buffers()}
    with torch.no_grad():
        expected = encoder(batch()).features
        torch.testing.assert_close(encoder.train()(batch()).features, expected, rtol=0, atol=1e-12)
    assert all(torch.equal(value, before[name]) for name, value in encoder.named_buffers())
