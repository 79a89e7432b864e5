"""What this plugin offers: `fusion: xattn`. Torch is imported when the fusion is built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Fusion

FEED_FORWARD_FACTOR: Final = 4


class CrossAttentionFusionParams(BaseModel):
    """Parameters of `fusion: xattn`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["xattn"] = "xattn"
    dim: int = Field(default=768, ge=1)
    num_heads: int = Field(default=8, ge=1, validate_default=True)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    reference: bool = False
    num_blocks: int = Field(default=1, ge=1)
    feed_forward_factor: int = Field(default=FEED_FORWARD_FACTOR, ge=1)

    @field_validator("num_heads")
    @classmethod
    def _heads_divide_dim(cls, num_heads: int, info: ValidationInfo) -> int:
        dim = info.data.get("dim")
        if dim is not None and dim % num_heads:
            raise ValueError(f"`num_heads` must divide `dim` ({dim}), but is {num_heads} instead.")
        return num_heads

    @field_validator("num_blocks")
    @classmethod
    def _reference_has_one_block(cls, num_blocks: int, info: ValidationInfo) -> int:
        if info.data.get("reference") and num_blocks != 1:
            raise ValueError(
                f"`num_blocks` must be 1 where `reference` is true, but is {num_blocks} instead. "
                "Leave `num_blocks` out or set `reference: false`."
            )
        return num_blocks

    @field_validator("feed_forward_factor")
    @classmethod
    def _reference_has_no_feed_forward(cls, factor: int, info: ValidationInfo) -> int:
        if info.data.get("reference") and factor != FEED_FORWARD_FACTOR:
            raise ValueError(
                f"`feed_forward_factor` must be left out where `reference` is true, since that form has no "
                f"feed-forward, but is {factor} instead."
            )
        return factor


def build(params: CrossAttentionFusionParams, *, text_dim: int, audio_dim: int) -> "Fusion":
    """Make `fusion: xattn`."""
    from vietmer_core.nn.cross_attention import CrossAttentionBlock
    from vietmer_fusion_xattn.blocks import ReferenceBlock
    from vietmer_fusion_xattn.fusion import CrossAttentionFusion

    dim, num_heads, dropout = params.dim, params.num_heads, params.dropout
    blocks: list[CrossAttentionBlock | ReferenceBlock]
    if params.reference:
        blocks = [ReferenceBlock(dim=dim, num_heads=num_heads, dropout=dropout)]
    else:
        hidden_dim = params.feed_forward_factor * dim
        blocks = [
            CrossAttentionBlock(dim=dim, num_heads=num_heads, hidden_dim=hidden_dim, dropout=dropout)
            for _ in range(params.num_blocks)
        ]
    return CrossAttentionFusion(text_dim=text_dim, audio_dim=audio_dim, dim=dim, blocks=blocks)


@hookimpl
def register_components() -> Sequence[Component]:
    """The cross-attention fusion."""
    return [
        Component(
            role=Role.FUSION,
            params=CrossAttentionFusionParams,
            build=build,
            summary="Text attends to audio and audio to text; the updated sequences follow one another in time.",
            licence="Apache-2.0",
            tiny={"dim": 16, "num_heads": 2},
        )
    ]
