"""Registers `audio: wav2vec2`. Torch-free."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vietmer_audio_wav2vec2.params import DEFAULT_CHECKPOINT, LICENCES, Wav2Vec2Params
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import AudioFrontend, Encoder


def build_frontend(params: Wav2Vec2Params) -> "AudioFrontend":
    """Make the frontend of `audio: wav2vec2`."""
    from vietmer_audio_wav2vec2.factory import make_frontend

    return make_frontend(params)


def build_encoder(params: Wav2Vec2Params) -> "Encoder":
    """Make the encoder of `audio: wav2vec2`."""
    from vietmer_audio_wav2vec2.factory import make_encoder

    return make_encoder(params)


@hookimpl
def register_components() -> Sequence[Component]:
    """The audio encoder `wav2vec2`."""
    return [
        Component(
            role=Role.AUDIO,
            params=Wav2Vec2Params,
            build=build_encoder,
            build_frontend=build_frontend,
            summary="wav2vec 2.0, HuBERT or WavLM, pretrained; XLSR-53 by default.",
            licence="Apache-2.0",
            weights_licence=LICENCES[DEFAULT_CHECKPOINT],
            weights_licences={name: licence for name, licence in LICENCES.items() if name != DEFAULT_CHECKPOINT},
            tiny={"checkpoint": str(Path(__file__).parent / "tiny"), "weights": "random"},
        )
    ]
