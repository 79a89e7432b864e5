"""Registers `audio: whisper`. Torch-free."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vietmer_audio_whisper.params import DEFAULT_CHECKPOINT, LICENCES, WhisperParams
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import AudioFrontend, Encoder


def build_frontend(params: WhisperParams) -> "AudioFrontend":
    """Make the frontend of `audio: whisper`."""
    from vietmer_audio_whisper.factory import make_frontend

    return make_frontend(params)


def build_encoder(params: WhisperParams) -> "Encoder":
    """Make the encoder of `audio: whisper`."""
    from vietmer_audio_whisper.factory import make_encoder

    return make_encoder(params)


@hookimpl
def register_components() -> Sequence[Component]:
    """The audio encoder `whisper`."""
    return [
        Component(
            role=Role.AUDIO,
            params=WhisperParams,
            build=build_encoder,
            build_frontend=build_frontend,
            summary="Whisper or PhoWhisper, pretrained, at the true length of each utterance.",
            licence="Apache-2.0",
            weights_licence=LICENCES[DEFAULT_CHECKPOINT],
            weights_licences={name: licence for name, licence in LICENCES.items() if name != DEFAULT_CHECKPOINT},
            tiny={
                "checkpoint": str(Path(__file__).parent / "tiny"),
                "weights": "random",
                "freeze": False,
                "window_seconds": 0.12,
                "overlap_seconds": 0.04,
            },
        )
    ]
