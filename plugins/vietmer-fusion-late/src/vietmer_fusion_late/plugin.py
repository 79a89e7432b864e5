"""What this plugin offers: `fusion: late`. Torch is imported when the fusion is built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Fusion


class LateFusionParams(BaseModel):
    """Parameters of `fusion: late`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["late"] = "late"
    dim: int = Field(default=768, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


def build(params: LateFusionParams, *, text_dim: int, audio_dim: int) -> "Fusion":
    """Make `fusion: late`."""
    from vietmer_fusion_late.fusion import LateFusion

    return LateFusion(text_dim=text_dim, audio_dim=audio_dim, dim=params.dim, dropout=params.dropout)


@hookimpl
def register_components() -> Sequence[Component]:
    """The late fusion."""
    return [
        Component(
            role=Role.FUSION,
            params=LateFusionParams,
            build=build,
            summary="Each modality is pooled alone; the two embeddings stand side by side.",
            licence="Apache-2.0",
            tiny={"dim": 16},
        )
    ]
