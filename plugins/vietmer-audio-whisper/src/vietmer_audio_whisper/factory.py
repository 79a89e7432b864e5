"""From parameters to the frontend and the encoder, through the files of a checkpoint."""

from typing import Any, Final

from torch import nn
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from vietmer_audio_whisper.encoder import WhisperAudioEncoder
from vietmer_audio_whisper.figures import HOP_SAMPLES, read_figures
from vietmer_audio_whisper.frontend import WhisperFrontend
from vietmer_audio_whisper.params import FRAMES_PER_SECOND, LICENCES, WhisperParams
from vietmer_core.errors import AssemblyError
from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan
from vietmer_core.pretrained.checkpoints import Checkpoint, open_checkpoint
from vietmer_core.pretrained.layers import LayerMix
from vietmer_core.pretrained.loading import load_model, read_config

ARCHITECTURE: Final = "whisper"
ENCODER_PREFIX: Final = r"^(model\.)?encoder\."
NOT_OF_THE_ENCODER: Final = (r"^(model\.)?decoder\.", r"^proj_out\.", r"^(projector|classifier)\.", r"^layer_weights$")
LORA_TARGETS: Final = ("q_proj", "v_proj")


def make_frontend(params: WhisperParams) -> WhisperFrontend:
    """The frontend; reads the small files of the checkpoint alone.

    Raises:
        CheckpointError: if the checkpoint cannot be found or read, or has other figures than Whisper's.
    """
    without_weights = params.model_copy(update={"weights": "random"})
    checkpoint = open_checkpoint(without_weights, licences=LICENCES)
    figures = read_figures(checkpoint, read_config(checkpoint, model_types=(ARCHITECTURE,)))
    _require_window(params, figures.longest_mel_frames // 2)
    return WhisperFrontend(
        num_mels=figures.num_mels,
        window_samples=figures.longest_mel_frames * HOP_SAMPLES,
        pads_to_window=params.pad_to_30s,
        pads_short=params.short == "pad",
    )


def make_encoder(params: WhisperParams) -> WhisperAudioEncoder:
    """The encoder with its weights.

    Raises:
        AssemblyError: if the checkpoint's windows are not those of the parameters.
        CheckpointError: if the checkpoint cannot be found, read or used.
        ValueError: if it has not the layers that the parameters name.
    """
    checkpoint = open_checkpoint(params, licences=LICENCES)
    config = read_config(checkpoint, model_types=(ARCHITECTURE,))
    num_layers = int(config.get("encoder_layers", 4))
    mix = LayerMix(choice=params.layers, num_layers=num_layers, normalise=params.normalise_layers)
    model = _load(checkpoint, mix)
    _require_window(params, model.config.max_source_positions)
    backbone = PretrainedBackbone(
        model,
        layers=list(model.layers),
        top=[model.layer_norm],
        record=checkpoint.record,
        plan=TrainingPlan.of(params),
        lora_targets=LORA_TARGETS,
    )
    return WhisperAudioEncoder(
        backbone=backbone,
        mix=mix,
        window=params.window_frames,
        overlap=params.overlap_frames,
        pads_to_window=params.pad_to_30s,
        spec_augment=params.spec_augment,
        recomputes=params.gradient_checkpointing,
    )


def _load(checkpoint: Checkpoint, mix: LayerMix) -> Any:
    """The encoder of transformers up to the layer that is read; of the decoder nothing is built or read into memory."""
    unread = (rf"^layers\.{number}\." for number in range(mix.layers_used, mix.num_layers))
    model = load_model(
        WhisperEncoder,
        checkpoint,
        changes={"encoder_layers": mix.layers_used, "encoder_layerdrop": 0.0, "_attn_implementation": "sdpa"},
        key_mapping={ENCODER_PREFIX: ""},
        may_have=(*NOT_OF_THE_ENCODER, *unread),
    )
    model.embed_positions.requires_grad_(False)  # noqa: FBT003  # torch's argument; sinusoids, which loading sets free
    if mix.layers_used < mix.num_layers:
        model.layer_norm = nn.Identity()  # it belongs behind the last layer, which is not there
    return model


def _require_window(params: WhisperParams, positions: int) -> None:
    """Hold the window to the positions that the network knows.

    Raises:
        AssemblyError: if it is longer, or shorter where every utterance is padded to it.
    """
    if params.window_frames > positions or (params.pad_to_30s and params.window_frames != positions):
        rule = "be" if params.pad_to_30s else "be at most"
        reason = "with `pad_to_30s`, " if params.pad_to_30s else ""
        raise AssemblyError(
            f"`window_seconds` must {rule} {positions / FRAMES_PER_SECOND:g}, {reason}what checkpoint "
            f"`{params.checkpoint}` reads at once, but is {params.window_seconds:g} instead."
        )
