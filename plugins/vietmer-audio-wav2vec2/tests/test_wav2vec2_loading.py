"""Real checkpoints come with heads, old names and pickles; anything else is named and refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    HubertForSequenceClassification,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
    Wav2Vec2ForXVector,
    WavLMForSequenceClassification,
)
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder

from vietmer_core.errors import CheckpointError
from vietmer_core.sequence import pad_rows

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]

HEADS: dict[str, tuple[str, Any]] = {
    "pretraining": ("wav2vec2-layer", Wav2Vec2ForPreTraining),
    "ctc": ("wav2vec2-group", Wav2Vec2ForCTC),
    "speaker verification": ("wav2vec2-layer", Wav2Vec2ForXVector),
    "hubert classification": ("hubert-layer", HubertForSequenceClassification),
    "wavlm classification": ("wavlm-group", WavLMForSequenceClassification),
}


def output_of(encoder: Wav2Vec2Encoder) -> Tensor:
    waveform = torch.randn(1_500, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        features: Tensor = encoder(pad_rows([waveform])).features
    return features


@pytest.mark.parametrize("head", HEADS)
def test_heads_are_left_aside(save: Save, build: Build, head: str) -> None:
    variant, model_class = HEADS[head]
    small = {"codevector_dim": 8, "proj_codevector_dim": 8, "num_codevectors_per_group": 4, "classifier_proj_size": 8}
    folder = save(variant, **(small if head != "hubert classification" else {}), use_weighted_layer_sum=True)
    expected = output_of(build(folder))
    whole = model_class.from_pretrained(folder)
    whole.save_pretrained(folder)
    assert len(load_file(folder / "model.safetensors")) > len(build(folder).backbone.model.state_dict()) - 1
    assert torch.equal(output_of(build(folder)), expected)


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})


def old_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {}
    for name, value in tensors.items():
        ending = next((new for new in names if name.endswith(new)), None)
        renamed[name.replace(ending, names[ending]) if ending else name] = value
    return renamed


def test_weight_norm_of_old_files_is_read(variant: str, save: Save, build: Build) -> None:
    folder = save(variant)
    expected = output_of(build(folder))
    rewrite(folder, old_names)
    held = [name for name in load_file(folder / "model.safetensors") if name.endswith(("weight_g", "weight_v"))]
    assert len(held) == (0 if variant == "hubert-batch-norm" else 2)
    assert torch.equal(output_of(build(folder)), expected)


def test_pickled_weights_are_read(save: Save, build: Build) -> None:
    folder = save("wav2vec2-group")
    expected = output_of(build(folder))
    torch.save(old_names(load_file(folder / "model.safetensors")), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert torch.equal(output_of(build(folder)), expected)


class NotATensor:
    """What a pickle must not bring to life."""


def test_pickled_code_is_refused(save: Save, build: Build) -> None:
    folder = save("wav2vec2-group")
    torch.save({"feature_projection.projection.weight": NotATensor()}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin cannot be read: .*Only tensors are unpickled"):
        build(folder)


def test_missing_and_unexpected_tensors_are_named(save: Save, build: Build) -> None:
    folder = save("hubert-group")

    def change(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        del tensors["encoder.layers.1.attention.q_proj.weight"]
        return {**tensors, "encoder.layers.7.attention.q_proj.weight": torch.zeros(2)}

    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=r"lack `encoder.layers.1.attention.q_proj.weight`, and hold, beside"):
        build(folder)


def test_tensors_of_another_shape_are_named(save: Save, build: Build) -> None:
    folder = save("wavlm-layer")
    rewrite(folder, lambda tensors: {**tensors, "encoder.layer_norm.bias": torch.zeros(17)})
    with pytest.raises(CheckpointError, match=r"hold in another shape `encoder.layer_norm.bias`"):
        build(folder)


def test_masked_spec_embed_may_miss_and_is_then_kept_with_the_run(save: Save, build: Build) -> None:
    folder = save("wav2vec2-layer")
    rewrite(folder, lambda tensors: {name: value for name, value in tensors.items() if "masked" not in name})
    given: dict[str, Any] = {"train_layers": 1, "spec_augment": {}}
    assert "model.masked_spec_embed" not in build(folder, **given).backbone.frozen_names()
    assert "model.masked_spec_embed" in build(save("wav2vec2-layer"), **given).backbone.frozen_names()
    assert not hasattr(build(folder).backbone.model, "masked_spec_embed")


def test_another_architecture_is_refused(save: Save, build: Build) -> None:
    folder = save("wav2vec2-layer")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "wav2vec2-conformer"}))
    with pytest.raises(
        CheckpointError, match=r"must be of architecture wav2vec2 or hubert or wavlm, but is wav2vec2-c"
    ):
        build(folder)


def test_a_configuration_that_makes_no_sense_is_refused(save: Save, build: Build) -> None:
    folder = save("wav2vec2-layer")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "conv_stride": [5, 2]}))
    with pytest.raises(CheckpointError, match=r"its `config.json` cannot be used: "):
        build(folder)


def test_a_folder_without_weights_is_refused(save: Save, build: Build) -> None:
    folder = save("wav2vec2-layer")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="has no weights"):
        build(folder)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layers": 4}, r"`layers` must be a layer's number from 0 to 3"),
        ({"train_layers": 4}, r"`train_layers` must be at most 3"),
        ({"layers": 1, "train_layers": 2}, r"`train_layers` must be at most 1"),
        ({"lora": {"target_modules": ["query"]}}, r"`lora.target_modules` must be names of linear layers"),
    ],
)
def test_layers_that_are_not_there_are_refused(save: Save, build: Build, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(save("wav2vec2-layer"), **given)
