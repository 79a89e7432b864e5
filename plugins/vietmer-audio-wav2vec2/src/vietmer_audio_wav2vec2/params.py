"""The parameters of `audio: wav2vec2`, and the licences of known weights. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.pretrained.params import PretrainedParams
from vietmer_core.spec_fields import not_a_switch

DEFAULT_CHECKPOINT: Final = "facebook/wav2vec2-large-xlsr-53"

LICENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        DEFAULT_CHECKPOINT: "Apache-2.0",
        "facebook/wav2vec2-base": "Apache-2.0",
        "facebook/wav2vec2-base-960h": "Apache-2.0",
        "facebook/wav2vec2-large": "Apache-2.0",
        "facebook/wav2vec2-large-lv60": "Apache-2.0",
        "facebook/wav2vec2-xls-r-300m": "Apache-2.0",
        "facebook/wav2vec2-xls-r-1b": "Apache-2.0",
        "facebook/mms-300m": "CC-BY-NC-4.0",
        "facebook/mms-1b": "CC-BY-NC-4.0",
        "facebook/hubert-base-ls960": "Apache-2.0",
        "facebook/hubert-large-ll60k": "Apache-2.0",
        "microsoft/wavlm-base": "CC-BY-SA-3.0",
        "microsoft/wavlm-base-plus": "CC-BY-SA-3.0",
        "microsoft/wavlm-large": "CC-BY-SA-3.0",
        "nguyenvulebinh/wav2vec2-base-vi": "CC-BY-NC-4.0",
        "nguyenvulebinh/wav2vec2-large-vi": "CC-BY-NC-4.0",
        "nguyenvulebinh/wav2vec2-base-vietnamese-250h": "CC-BY-NC-4.0",
    }
)
"""By id on the hub, as known when this was written; before weights are used, their cards say what holds."""

_Number = Annotated[float, BeforeValidator(not_a_switch)]


class Wav2Vec2Settings(PretrainedParams):
    """What `audio: wav2vec2` can be told, without its kind; for components that hold such an encoder."""

    checkpoint: str = Field(
        default=DEFAULT_CHECKPOINT,
        description="wav2vec 2.0, HuBERT or WavLM: id on the hub, or a folder written `./x`, `../x`, `~/x` or `/x`.",
    )
    normalise: bool | None = Field(
        default=None,
        description="Whether each waveform is brought to mean 0 and variance 1; what the checkpoint says by default.",
    )
    short: Literal["refuse", "pad"] = Field(
        default="refuse",
        description="Audio under one frame (400 samples): refused, or continued with silence, which is counted.",
    )
    window_seconds: _Number | None = Field(
        default=120.0, gt=0, description="Longest audio that the Transformer reads at once, s; null: any."
    )
    overlap_seconds: _Number = Field(default=10.0, ge=0, description="What neighbouring windows share at least, s.")
    chunk_seconds: _Number | None = Field(
        default=10.0,
        gt=0,
        description="Audio that frozen convolutions read at once, s, all rows together; the result is the same.",
    )
    spec_augment: SpecAugmentParams | None = Field(
        default=None,
        description="Hides spans of frames and columns in training, of a frozen encoder too; nothing by default.",
    )

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.window_seconds is not None and self.overlap_seconds >= self.window_seconds:
            raise ValueError(
                f"`overlap_seconds` must be less than `window_seconds` ({self.window_seconds:g}), but is "
                f"{self.overlap_seconds:g} instead."
            )
        return self


class Wav2Vec2Params(Wav2Vec2Settings):
    """Parameters of `audio: wav2vec2`."""

    kind: Literal["wav2vec2"] = "wav2vec2"
