"""Registers `text: syllable`. Torch-free."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Encoder, TextFrontend


class SyllableParams(BaseModel):
    """Parameters of `text: syllable`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["syllable"] = "syllable"
    dim: int = Field(default=128, ge=1, description="Width of the embeddings and of the output.")
    num_layers: int = Field(default=2, ge=0, description="Number of Transformer blocks; 0 for none.")
    num_heads: int = Field(default=4, ge=1, description="Attention heads; must divide `dim`.")
    hidden_dim: int = Field(default=512, ge=1, description="Width of the feed-forward layers.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout in training.")
    max_tokens: int = Field(default=256, ge=2, description="A longer transcript keeps its first and last tokens.")
    max_bytes_per_word: int = Field(default=16, ge=4, description="Most bytes kept of a word that is not Vietnamese.")
    lowercase: bool = Field(default=True, description="Make capital letters small.")
    whole: bool = Field(default=False, description="Embed each whole piece, too, beside its parts.")

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> Self:
        if self.dim % self.num_heads:
            raise ValueError(f"`num_heads` must divide `dim` ({self.dim}), but is {self.num_heads} instead.")
        return self


def build_frontend(params: SyllableParams) -> "TextFrontend":
    """Make the frontend of `text: syllable`."""
    from vietmer_text_syllable.frontend import SyllableFrontend

    return SyllableFrontend(
        max_tokens=params.max_tokens,
        max_bytes_per_word=params.max_bytes_per_word,
        lowercase=params.lowercase,
        whole=params.whole,
    )


def build_encoder(params: SyllableParams) -> "Encoder":
    """Make the encoder of `text: syllable`."""
    from vietmer_text_syllable.encoder import SyllableEncoder

    return SyllableEncoder(
        dim=params.dim,
        num_layers=params.num_layers,
        num_heads=params.num_heads,
        hidden_dim=params.hidden_dim,
        dropout=params.dropout,
        whole=params.whole,
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """The text encoder `syllable`."""
    return [
        Component(
            role=Role.TEXT,
            params=SyllableParams,
            build=build_encoder,
            build_frontend=build_frontend,
            summary="Onset, rhyme and tone of each syllable, bytes for all else; small Transformer, from scratch.",
            licence="Apache-2.0",
            tiny={"dim": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 16},
        )
    ]
