"""What this plugin offers: `fusion: text_only`. Torch is imported when the fusion is built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.components import Component, Modality, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Fusion


class TextOnlyFusionParams(BaseModel):
    """Parameters of `fusion: text_only`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["text_only"] = "text_only"
    dim: int = Field(default=768, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


def build(params: TextOnlyFusionParams, *, text_dim: int, audio_dim: int) -> "Fusion":  # noqa: ARG001  # the signature of its role
    """Make `fusion: text_only`."""
    from vietmer_fusion_text_only.fusion import TextOnlyFusion

    return TextOnlyFusion(text_dim=text_dim, dim=params.dim, dropout=params.dropout)


@hookimpl
def register_components() -> Sequence[Component]:
    """The text baseline."""
    return [
        Component(
            role=Role.FUSION,
            params=TextOnlyFusionParams,
            build=build,
            summary="The transcript alone; no audio encoder is built.",
            licence="Apache-2.0",
            modalities=frozenset({Modality.TEXT}),
            tiny={"dim": 16},
        )
    ]
