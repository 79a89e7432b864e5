"""The parameters of `fusion: bilstm_attn`, and those that fusions built on it share. Torch-free."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class RecurrentAttentionSettings(BaseModel):
    """Everything but the `kind`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dim: int = Field(default=768, ge=1, description="Width of the projections, of the blocks and of the output.")
    hidden_dim: int = Field(default=384, ge=1, description="Width of each direction of the BiLSTMs.")
    num_layers: int = Field(default=1, ge=1, description="Layers of each BiLSTM.")
    num_blocks: int = Field(default=1, ge=1, description="Cross-attention blocks, applied in turn.")
    num_heads: int = Field(default=8, ge=1, validate_default=True, description="Attention heads; must divide `dim`.")
    feed_forward_factor: int = Field(
        default=4, ge=1, description="Width inside the feed-forwards, in multiples of `dim`."
    )
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="In the blocks, and between the layers of a BiLSTM of several."
    )
    order: Literal["sequential", "parallel"] = Field(
        default="sequential",
        description="`sequential`: the audio attends to the text that the block has updated; `parallel`: to the text "
        "as it was before.",
    )
    merge: Literal["concat", "gate"] = Field(
        default="concat",
        description="`concat`: the updated frames as they are; `gate`: each scaled by a sigmoid of itself.",
    )

    @field_validator("num_heads")
    @classmethod
    def _heads_divide_dim(cls, num_heads: int, info: ValidationInfo) -> int:
        dim = info.data.get("dim")
        if dim is not None and dim % num_heads:
            raise ValueError(f"`num_heads` must divide `dim` ({dim}), but is {num_heads} instead.")
        return num_heads


class BiLSTMAttentionParams(RecurrentAttentionSettings):
    """Parameters of `fusion: bilstm_attn`."""

    kind: Literal["bilstm_attn"] = "bilstm_attn"
