"""What this plugin offers: `fusion: audio_only`. Torch is imported when the fusion is built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.components import Component, Modality, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Fusion


class AudioOnlyFusionParams(BaseModel):
    """Parameters of `fusion: audio_only`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["audio_only"] = "audio_only"
    dim: int = Field(default=768, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


def build(params: AudioOnlyFusionParams, *, text_dim: int, audio_dim: int) -> "Fusion":  # noqa: ARG001  # the signature of its role
    """Make `fusion: audio_only`."""
    from vietmer_fusion_audio_only.fusion import AudioOnlyFusion

    return AudioOnlyFusion(audio_dim=audio_dim, dim=params.dim, dropout=params.dropout)


@hookimpl
def register_components() -> Sequence[Component]:
    """The audio baseline."""
    return [
        Component(
            role=Role.FUSION,
            params=AudioOnlyFusionParams,
            build=build,
            summary="The speech alone; no text encoder is built.",
            licence="Apache-2.0",
            modalities=frozenset({Modality.AUDIO}),
            tiny={"dim": 16},
        )
    ]
