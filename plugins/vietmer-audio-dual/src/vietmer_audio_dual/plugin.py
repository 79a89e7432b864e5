"""Registers `audio: dual`. Torch-free."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vietmer_audio_wav2vec2.params import DEFAULT_CHECKPOINT, LICENCES

from vietmer_audio_dual.licences import PUBLISHED_FILE, PUBLISHED_LICENCE
from vietmer_audio_dual.params import DualParams
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import AudioFrontend, Encoder


def build_frontend(params: DualParams) -> "AudioFrontend":
    """Make the frontend of `audio: dual`."""
    from vietmer_audio_dual.factory import make_frontend

    return make_frontend(params)


def build_encoder(params: DualParams) -> "Encoder":
    """Make the encoder of `audio: dual`."""
    from vietmer_audio_dual.factory import make_encoder

    return make_encoder(params)


@hookimpl
def register_components() -> Sequence[Component]:
    """The audio encoder `dual`."""
    others = {name: licence for name, licence in LICENCES.items() if name != DEFAULT_CHECKPOINT}
    return [
        Component(
            role=Role.AUDIO,
            params=DualParams,
            build=build_encoder,
            build_frontend=build_frontend,
            summary="wav2vec 2.0 frames beside VGGish embeddings of 0.96 s, interpolated to them.",
            licence="Apache-2.0",
            weights_licence=LICENCES[DEFAULT_CHECKPOINT],
            weights_licences={**others, PUBLISHED_FILE: PUBLISHED_LICENCE},
            tiny={
                "checkpoint": str(Path(__file__).parent / "tiny"),
                "weights": "random",
                "vggish": {
                    "weights": "random",
                    "hop_seconds": 0.04,
                    "patch_frames": 16,
                    "channels": (2, 2, 3, 3, 4, 4),
                    "hidden_dim": 8,
                    "dim": 8,
                },
            },
        )
    ]
