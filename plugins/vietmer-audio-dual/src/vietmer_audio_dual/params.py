"""The parameters of `audio: dual`. Torch-free."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from vietmer_audio_wav2vec2.params import Wav2Vec2Settings

from vietmer_audio_dual.figures import FRAMES_PER_SECOND, SHRINKING
from vietmer_core.pretrained.params import WholeNumber

RANDOM: Final = "random"
SUM_DIM: Final = 1024

_Width = Annotated[WholeNumber, Field(ge=1)]


class VggishParams(BaseModel):
    """The VGGish half. The figures of the network must stay as they are for the published weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    weights: str | None = Field(
        default=None,
        description="File of the weights (`vggish-10086976.pth`, or the same as safetensors), a folder that holds it, "
        "or `random`; must be given.",
    )
    licence: str | None = Field(
        default=None, description="Licence of the weights (SPDX) where the file is not the published one."
    )
    freeze: bool = Field(
        default=True, description="Whether VGGish keeps its weights; false by default with `weights: random`."
    )
    hop_seconds: float = Field(
        default=0.96, gt=0, description="From one patch to the next, s; 0.96 is patch after patch, less overlaps."
    )
    tail: Literal["pad", "drop"] = Field(
        default="pad",
        description="The last frames that fill no patch: completed with digital silence, or dropped as the reference "
        "does. Audio shorter than one patch is always completed.",
    )
    patch_frames: WholeNumber = Field(default=96, ge=SHRINKING, description="Frames of 10 ms in a patch.")
    channels: tuple[_Width, _Width, _Width, _Width, _Width, _Width] = Field(
        default=(64, 128, 256, 256, 512, 512), description="Widths of the six convolutions."
    )
    hidden_dim: _Width = Field(default=4096, description="Width of the two hidden layers behind them.")
    dim: _Width = Field(default=128, description="Numbers of a patch.")

    @property
    def hop_frames(self) -> int:
        """From one patch to the next, in frames."""
        return round(self.hop_seconds * FRAMES_PER_SECOND)

    @model_validator(mode="before")
    @classmethod
    def _random_is_trained(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("weights") == RANDOM and given.get("freeze") is None:
            return {**given, "freeze": False}
        return given

    @field_validator("weights")
    @classmethod
    def _names_something(cls, weights: str | None) -> str | None:
        if weights is not None and not weights.strip():
            raise ValueError("must be a path or `random`, but is empty instead.")
        return weights

    @model_validator(mode="after")
    def _random_is_not_frozen(self) -> Self:
        if self.weights == RANDOM and self.freeze:
            raise ValueError(
                "`freeze` must be false with `weights: random`: a frozen random network learns nothing and knows "
                "nothing. Give the published weights, or leave `freeze` out."
            )
        if self.weights == RANDOM and self.licence is not None:
            raise ValueError("`licence` must be left out with `weights: random`, which are nobody's.")
        return self

    @model_validator(mode="after")
    def _patches_fit(self) -> Self:
        if self.patch_frames % SHRINKING:
            raise ValueError(f"`patch_frames` must be a multiple of {SHRINKING}, but is {self.patch_frames} instead.")
        exact = self.hop_seconds * FRAMES_PER_SECOND
        if not 1 <= self.hop_frames <= self.patch_frames or abs(exact - self.hop_frames) > 1e-6:
            raise ValueError(
                f"`hop_seconds` must be 0.01 to {self.patch_frames / FRAMES_PER_SECOND:g} in steps of 0.01, but is "
                f"{self.hop_seconds:g} instead."
            )
        return self


class DualParams(Wav2Vec2Settings):
    """Parameters of `audio: dual`; those outside `vggish` are of the wav2vec 2.0 half, unless they say otherwise."""

    kind: Literal["dual"] = "dual"
    vggish: VggishParams = Field(default=VggishParams(), description="The VGGish half.")
    merge: Literal["concat", "sum"] = Field(
        default="concat", description="Both halves side by side, or both projected to `dim` and added."
    )
    dim: WholeNumber | None = Field(
        default=None, ge=1, description=f"Width of `merge: sum`; {SUM_DIM} by default. Not for `concat`."
    )

    @property
    def sum_dim(self) -> int | None:
        """Width that both halves are projected to; None where they stand side by side."""
        return None if self.merge == "concat" else self.dim or SUM_DIM

    @model_validator(mode="after")
    def _width_is_free(self) -> Self:
        if self.merge == "concat" and self.dim is not None:
            raise ValueError(
                "`dim` must be left out with `merge: concat`, whose width is that of both halves together."
            )
        return self
