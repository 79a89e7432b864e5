"""From parameters to the frontend and the encoder."""

from typing import Any

from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder
from vietmer_audio_wav2vec2.factory import make_encoder as make_wav2vec2
from vietmer_audio_wav2vec2.factory import make_frontend as make_wav2vec2_frontend

from vietmer_audio_dual.alignment import TimeAxis
from vietmer_audio_dual.encoder import DualEncoder
from vietmer_audio_dual.figures import SAMPLING_RATE
from vietmer_audio_dual.frontend import DualFrontend
from vietmer_audio_dual.params import DualParams, VggishParams
from vietmer_audio_dual.patches import PatchGrid
from vietmer_audio_dual.vggish import Vggish
from vietmer_audio_dual.vggish_half import VggishHalf
from vietmer_audio_dual.vggish_weights import load_vggish, named_weights
from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan


def make_frontend(params: DualParams) -> DualFrontend:
    """The frontend of both halves.

    Raises:
        CheckpointError: if the weights of VGGish are not named, or the checkpoint of wav2vec 2.0 cannot be found or
            used, or is not of 16 kHz.
    """
    named_weights(params.vggish.weights)  # before anything is fetched
    wav2vec2 = make_wav2vec2_frontend(params)
    if wav2vec2.sampling_rate != SAMPLING_RATE:
        raise CheckpointError(
            f"checkpoint `{params.checkpoint}` must be of {SAMPLING_RATE} Hz, as VGGish is, but is of "
            f"{wav2vec2.sampling_rate} Hz instead. Choose another, or `audio: wav2vec2`."
        )
    return DualFrontend(wav2vec2=wav2vec2)


def make_encoder(params: DualParams) -> DualEncoder:
    """The encoder of both halves.

    Raises:
        CheckpointError: if the weights of a half cannot be found or loaded, or are another architecture's.
        ValueError: if wav2vec 2.0 has fewer layers than `layers` or `train_layers` ask for.
    """
    vggish = make_vggish(params.vggish)  # first: the cheaper half tells at once that its weights are not named
    wav2vec2 = make_wav2vec2(params)
    return DualEncoder(wav2vec2=wav2vec2, vggish=vggish, frames=frame_axis(wav2vec2), sum_dim=params.sum_dim)


def make_vggish(params: VggishParams) -> VggishHalf:
    """The VGGish half with its weights.

    Raises:
        CheckpointError: as `load_vggish`.
    """
    network = Vggish(
        patch_frames=params.patch_frames,
        channels=params.channels,
        hidden_dim=params.hidden_dim,
        dim=params.dim,
    )
    record = load_vggish(network, params.weights, licence=params.licence)
    plan = TrainingPlan(depth=0 if params.freeze else None)
    backbone = PretrainedBackbone(network, layers=network.layers(), record=record, plan=plan)
    grid = PatchGrid(patch_frames=params.patch_frames, hop_frames=params.hop_frames, tail=params.tail)
    return VggishHalf(backbone=backbone, grid=grid)


def frame_axis(wav2vec2: Wav2Vec2Encoder) -> TimeAxis:
    """Where the frames of wav2vec 2.0 lie: 400 samples every 320, or what its convolutions and adapter make of it."""
    hop, span = wav2vec2.chain.hop, wav2vec2.chain.fewest_samples
    if wav2vec2.has_adapter:
        config: Any = wav2vec2.backbone.model.config
        for _ in range(config.num_adapter_layers):  # with one zero before the row a kernel of 3 stays centred
            span += hop * (config.adapter_kernel_size - 3)
            hop *= config.adapter_stride
    return TimeAxis(hop_samples=hop, span_samples=span)
