"""What every pretrained encoder can be told: its checkpoint, what is trained, which layers are read. Torch-free."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from vietmer_core.spec_fields import not_a_switch
from vietmer_core.text.params import TranscriptParams

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_FOLDER: Final = re.compile(r"[./~\\]|[A-Za-z]:[/\\]")

WholeNumber = Annotated[int, BeforeValidator(not_a_switch)]


def is_folder(checkpoint: str) -> bool:
    """Whether a checkpoint is written as a folder (`./x`, `../x`, `/x`, `~/x`) rather than as an id on the hub."""
    return _FOLDER.match(checkpoint) is not None


class LoraParams(BaseModel):
    """Low-rank adaptation of the attention's matrices (Hu et al. 2022), by peft."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rank: WholeNumber = Field(default=8, ge=1, description="Rank of the update.")
    alpha: WholeNumber = Field(default=16, ge=1, description="The update is scaled by alpha / rank.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout before the update, in training.")
    target_modules: tuple[str, ...] | None = Field(
        default=None, description="Names of the linear layers adapted; the encoder's queries and values by default."
    )


class UnfreezingParams(BaseModel):
    """Gradual unfreezing from the top (Howard and Ruder 2018, ULMFiT)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    first_epoch: WholeNumber = Field(default=1, ge=0, description="Epoch, from 0, at which the first layers train.")
    layers: WholeNumber = Field(default=1, ge=1, description="Layers added each time.")
    every: WholeNumber = Field(default=1, ge=1, description="Epochs from one addition to the next.")


class PretrainedParams(BaseModel):
    """Fields that all pretrained encoders share; each gives `checkpoint` its own default."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    checkpoint: str = Field(description="Id on the hub, or a folder written `./x`, `../x`, `~/x` or `/x`.")
    revision: str | None = Field(
        default=None, description="Commit, tag or branch on the hub; the newest commit by default, recorded in the run."
    )
    weights: Literal["pretrained", "random"] = Field(
        default="pretrained",
        description="`random` reads only the checkpoint's configuration and files of the frontend.",
    )
    layers: Literal["last", "weighted_sum"] | WholeNumber = Field(
        default="last",
        description="Output: the last layer, layer number n (0 is what enters the first), or a learned weighted sum.",
    )
    normalise_layers: bool = Field(
        default=False,
        description="Brings each frame of the layers read to mean 0 and variance 1 over its width.",
    )
    freeze: bool = Field(default=True, description="Whether the pretrained weights keep their values.")
    train_layers: WholeNumber | None = Field(
        default=None, ge=1, description="The last so many layers are trained all the same."
    )
    lora: LoraParams | None = Field(default=None, description="Trains low-rank updates beside the frozen weights.")
    unfreeze: UnfreezingParams | None = Field(
        default=None, description="What is trained begins frozen and is freed layer by layer, from the top."
    )
    gradient_checkpointing: bool = Field(
        default=False, description="Computes the trained layers twice to keep fewer activations."
    )

    @field_validator("checkpoint")
    @classmethod
    def _folder_or_id(cls, checkpoint: str) -> str:
        if not is_folder(checkpoint) and not _HUB_ID.fullmatch(checkpoint):
            raise ValueError(
                "must be an id on the hub, such as `openai/whisper-small`, or a folder written `./x`, `~/x` or `/x`, "
                f"but is `{checkpoint}` instead."
            )
        return checkpoint

    @field_validator("layers")
    @classmethod
    def _layer_exists(cls, layers: str | int) -> str | int:
        if isinstance(layers, int) and layers < 0:
            raise ValueError(f"must be a layer's number from 0, `last` or `weighted_sum`, but is {layers} instead.")
        return layers

    @model_validator(mode="after")
    def _one_way_of_training(self) -> Self:
        if is_folder(self.checkpoint) and self.revision is not None:
            raise ValueError("`revision` must be left out for a folder, which has no revisions.")
        if not self.freeze and (self.train_layers is not None or self.lora is not None):
            given = "train_layers" if self.train_layers is not None else "lora"
            raise ValueError(f"`{given}` must go with `freeze: true`, since `freeze: false` trains all weights.")
        if self.train_layers is not None and self.lora is not None:
            raise ValueError("only one of `train_layers` and `lora` can be given.")
        trains = not self.freeze or self.train_layers is not None
        if self.unfreeze is not None and not trains:
            raise ValueError("`unfreeze` must go with `freeze: false` or `train_layers`: all else stays frozen.")
        if self.gradient_checkpointing and not trains and self.lora is None:
            raise ValueError("`gradient_checkpointing` must be false where all is frozen: it would save nothing.")
        return self


class PretrainedTextParams(PretrainedParams, TranscriptParams):
    """Fields that all pretrained text encoders share."""
