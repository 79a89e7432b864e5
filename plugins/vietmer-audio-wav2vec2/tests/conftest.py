"""Small random checkpoints of every architecture and norm, saved to disk and loaded through our own path."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from torch import nn
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder
from vietmer_audio_wav2vec2.factory import make_encoder
from vietmer_audio_wav2vec2.params import Wav2Vec2Params

SMALL: Final[dict[str, Any]] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 6,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_prob": 0.05,
}
GROUP: Final = {"feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False}
LAYER: Final = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}

VARIANTS: Final[dict[str, tuple[Any, Any, dict[str, Any]]]] = {
    "wav2vec2-group": (Wav2Vec2Model, Wav2Vec2Config, GROUP),
    "wav2vec2-layer": (Wav2Vec2Model, Wav2Vec2Config, LAYER),
    "hubert-group": (HubertModel, HubertConfig, {**GROUP, "feat_proj_layer_norm": False}),
    "hubert-layer": (HubertModel, HubertConfig, LAYER),
    "hubert-batch-norm": (HubertModel, HubertConfig, {**LAYER, "conv_pos_batch_norm": True}),
    "wavlm-group": (WavLMModel, WavLMConfig, {**GROUP, "num_buckets": 20, "max_bucket_distance": 30}),
    "wavlm-layer": (WavLMModel, WavLMConfig, {**LAYER, "num_buckets": 20, "max_bucket_distance": 30}),
}

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]
Plain = Callable[..., Any]


def shake(model: nn.Module) -> None:
    """Let no parameter or buffer stay at an initial 0 or 1, which would hide what reads it."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.1 * torch.randn(value.shape, generator=generator))
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Saves a small random model of a variant and returns its folder."""

    def make(variant: str, *, preprocessor: dict[str, Any] | None = None, **changes: Any) -> Path:
        model_class, config_class, own = VARIANTS[variant]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            model = model_class(config_class(**{**SMALL, **own, **changes}))
        shake(model)
        folder = tmp_path / variant
        model.save_pretrained(folder)
        values = {"sampling_rate": 16_000, "do_normalize": True, "feature_size": 1} | (preprocessor or {})
        (folder / "preprocessor_config.json").write_text(json.dumps(values))
        return folder

    return make


@pytest.fixture
def build() -> Build:
    """The encoder of a folder, in float64 unless told otherwise, in evaluation mode."""

    def make(folder: Path, *, dtype: torch.dtype = torch.float64, **given: Any) -> Wav2Vec2Encoder:
        return make_encoder(Wav2Vec2Params(checkpoint=str(folder), **given)).to(dtype).eval()

    return make


@pytest.fixture
def plain() -> Plain:
    """transformers' own model of a folder, in evaluation mode."""

    def make(folder: Path, *, dtype: torch.dtype = torch.float64) -> Any:
        model_class = VARIANTS[folder.name][0]
        return model_class.from_pretrained(folder, local_files_only=True).to(dtype).eval()

    return make


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """Each architecture with each norm."""
    return str(request.param)
