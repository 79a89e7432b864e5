"""The parameters of `audio: whisper`, and the licences of known weights. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.pretrained.params import PretrainedParams
from vietmer_core.spec_fields import not_a_switch

DEFAULT_CHECKPOINT: Final = "vinai/PhoWhisper-small"

_OPENAI_SIZES: Final = (
    *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
    *("large", "large-v2", "large-v3", "large-v3-turbo"),
)
_PHO_SIZES: Final = ("tiny", "base", "small", "medium", "large")

LICENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{f"vinai/PhoWhisper-{size}": "BSD-3-Clause" for size in _PHO_SIZES},
        **{f"openai/whisper-{size}": "MIT" for size in _OPENAI_SIZES},
    }
)
"""By id on the hub, as the authors' own repositories say; the hub's cards of OpenAI's weights may say Apache-2.0."""

FRAMES_PER_SECOND: Final = 50
"""Frames of the encoder, one for every two mel frames."""

_Number = Annotated[float, BeforeValidator(not_a_switch)]


class WhisperParams(PretrainedParams):
    """Parameters of `audio: whisper`."""

    kind: Literal["whisper"] = "whisper"
    checkpoint: str = Field(
        default=DEFAULT_CHECKPOINT,
        description="Whisper or PhoWhisper: id on the hub, or a folder written `./x`, `../x`, `~/x` or `/x`.",
    )
    pad_to_30s: bool = Field(
        default=False,
        description="Pads every utterance with silence to 30 s, as Whisper was trained; several times the cost.",
    )
    window_seconds: _Number = Field(
        default=30.0, gt=0, le=30, description="Longest audio that the encoder reads at once, s."
    )
    overlap_seconds: _Number = Field(default=8.0, ge=0, description="What neighbouring windows share at least, s.")
    short: Literal["refuse", "pad"] = Field(
        default="refuse",
        description="Audio under 25 ms, one window of the spectrogram: refused, or continued with silence and counted.",
    )
    spec_augment: SpecAugmentParams | None = Field(
        default=None,
        description="Hides spans of mel frames and bands in training, of a frozen encoder too; nothing by default.",
    )

    @property
    def window_frames(self) -> int:
        """Most frames of the encoder in a window."""
        return round(self.window_seconds * FRAMES_PER_SECOND)

    @property
    def overlap_frames(self) -> int:
        """Fewest frames of the encoder that neighbouring windows share."""
        return round(self.overlap_seconds * FRAMES_PER_SECOND)

    @field_validator("window_seconds", "overlap_seconds")
    @classmethod
    def _whole_frames(cls, seconds: float) -> float:
        frames = seconds * FRAMES_PER_SECOND
        if abs(frames - round(frames)) > 1e-6:
            raise ValueError(
                f"must be a multiple of {1 / FRAMES_PER_SECOND:g} s, one frame of the encoder, but is {seconds:g} "
                "instead."
            )
        return seconds

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.overlap_frames >= self.window_frames:
            raise ValueError(
                f"`overlap_seconds` must be less than `window_seconds` ({self.window_seconds:g}), but is "
                f"{self.overlap_seconds:g} instead."
            )
        return self
