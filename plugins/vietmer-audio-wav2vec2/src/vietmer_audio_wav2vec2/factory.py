"""From parameters to the frontend and the encoder of a checkpoint."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import HubertModel, Wav2Vec2Model, WavLMModel

from vietmer_audio_wav2vec2.encoder import Limits, Wav2Vec2Encoder
from vietmer_audio_wav2vec2.frontend import Wav2Vec2Frontend
from vietmer_audio_wav2vec2.gated_attention import GatedAttention
from vietmer_audio_wav2vec2.lengths import ConvChain
from vietmer_audio_wav2vec2.params import LICENCES, Wav2Vec2Settings
from vietmer_audio_wav2vec2.preprocessing import read_preprocessing
from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan
from vietmer_core.pretrained.checkpoints import Checkpoint, open_checkpoint
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.loading import load_model, read_config

MODELS: Final[Mapping[str, Any]] = MappingProxyType(
    {"wav2vec2": Wav2Vec2Model, "hubert": HubertModel, "wavlm": WavLMModel}
)
"""transformers' models, by `model_type`."""

LORA_TARGETS: Final = ("q_proj", "v_proj")

HEADS: Final = (
    r"^(quantizer|project_hid|project_q)\.",  # pre-training
    r"^lm_head\.",  # CTC
    r"^(projector|classifier|tdnn|objective)\.",  # classification, frame classification, speaker verification
    r"^feature_extractor\.(weight|bias)$",  # speaker verification: a linear layer of that name
    r"^layer_weights$",
    r"^((wav2vec2|hubert|wavlm)\.)?masked_spec_embed$",  # needed only for SpecAugment
)
"""Tensors that files may hold beside the encoder's."""


def make_frontend(settings: Wav2Vec2Settings) -> Wav2Vec2Frontend:
    """The frontend of a checkpoint, from its configuration alone.

    Raises:
        CheckpointError: if the checkpoint cannot be found, is another architecture's or does not say how waveforms
            reach its network.
    """
    checkpoint = open_checkpoint(settings.model_copy(update={"weights": "random"}), licences=LICENCES)
    config, preprocessing = _config(checkpoint), read_preprocessing(checkpoint, normalise=settings.normalise)
    return Wav2Vec2Frontend(
        sampling_rate=preprocessing.sampling_rate,
        normalise=preprocessing.normalise,
        fewest_samples=_chain(config).fewest_samples,
        pads_short=settings.short == "pad",
    )


def make_encoder(settings: Wav2Vec2Settings) -> Wav2Vec2Encoder:
    """The encoder of a checkpoint.

    Raises:
        CheckpointError: if the checkpoint cannot be found or loaded, or is another architecture's.
        ValueError: if it has fewer layers than `layers` or `train_layers` ask for.
    """
    checkpoint = open_checkpoint(settings, licences=LICENCES)
    config = _config(checkpoint)
    num_layers: int = config.num_hidden_layers
    mix = LayerMix(choice=settings.layers, num_layers=num_layers, normalise=settings.normalise_layers)
    model = _load(checkpoint, config, settings, layers_used=mix.layers_used)
    top: list[nn.Module] = [model.encoder.layer_norm] if config.do_stable_layer_norm else []
    if config.do_stable_layer_norm and mix.layers_used < num_layers:
        model.encoder.layer_norm, top = nn.Identity(), []
    if getattr(model, "adapter", None) is not None:
        top.append(model.adapter)
    backbone = PretrainedBackbone(
        model,
        layers=list(model.encoder.layers),
        top=top,
        record=checkpoint.record,
        plan=TrainingPlan.of(settings),
        lora_targets=LORA_TARGETS,
    )
    rate = read_preprocessing(checkpoint, normalise=settings.normalise).sampling_rate
    return Wav2Vec2Encoder(
        backbone=backbone,
        mix=mix,
        limits=_limits(settings, frames_per_second=rate / _chain(config).hop),
        spec_augment=settings.spec_augment,
        checkpointing=settings.gradient_checkpointing,
    )


def _config(checkpoint: Checkpoint) -> Any:
    """The configuration with transformers' defaults filled in."""
    model_type = read_config(checkpoint, model_types=tuple(MODELS))["model_type"]
    try:
        return MODELS[model_type].config_class.from_pretrained(checkpoint.folder, local_files_only=True)
    except (StrictDataclassError, OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"checkpoint `{checkpoint.record.checkpoint}`: its `config.json` cannot be used: {reason}"
        ) from error


def _chain(config: Any) -> ConvChain:
    return ConvChain(kernels=tuple(config.conv_kernel), strides=tuple(config.conv_stride))


def _limits(settings: Wav2Vec2Settings, *, frames_per_second: float) -> Limits:
    def frames(seconds: float | None) -> int | None:
        return None if seconds is None else max(1, round(seconds * frames_per_second))

    window = frames(settings.window_seconds)
    overlap = 0 if window is None else min(round(settings.overlap_seconds * frames_per_second), window - 1)
    return Limits(window=window, overlap=overlap, chunk=frames(settings.chunk_seconds))


def _load(checkpoint: Checkpoint, config: Any, settings: Wav2Vec2Settings, *, layers_used: int) -> Any:
    """The network with the layers that are read, and what stands for WavLM's attention."""
    hides = settings.spec_augment is not None and settings.spec_augment.time_probability > 0
    has_adapter = bool(getattr(config, "add_adapter", False)) and settings.layers == "last"
    changes = {
        "num_hidden_layers": layers_used,
        "layerdrop": 0.0,
        "mask_time_prob": 0.5 if hides else 0.0,  # above 0 it makes the model have `masked_spec_embed`
        "mask_feature_prob": 0.0,
        "_attn_implementation": "eager" if config.model_type == "wavlm" else "sdpa",
    }
    if hasattr(config, "add_adapter"):
        changes["add_adapter"] = has_adapter
    above = "|".join(str(layer) for layer in range(layers_used, config.num_hidden_layers))
    may_have = [*HEADS, *([rf"(^|\.)encoder\.layers\.({above})\."] if above else [])]
    if not has_adapter:
        may_have.append(r"^((wav2vec2|wavlm)\.)?adapter\.")
    model = load_model(
        MODELS[config.model_type],
        checkpoint,
        changes=changes,
        may_miss=[r"^masked_spec_embed$"],
        may_have=may_have,
    )
    if config.model_type == "wavlm":
        for layer in model.encoder.layers:
            layer.attention = GatedAttention(layer.attention)
    return model
