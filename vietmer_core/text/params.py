"""What every pretrained text encoder can be told about its transcripts. Torch-free."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

SegmenterName = Literal["underthesea", "pyvi", "none"]
ToneStyle = Literal["old", "new", "keep"]
Unreadable = Literal["refuse", "keep"]

SEGMENTER_NAMES: tuple[SegmenterName, ...] = get_args(SegmenterName)
TONE_STYLES: tuple[ToneStyle, ...] = get_args(ToneStyle)


class TranscriptParams(BaseModel):
    """Fields that all pretrained text encoders share, beside those of `PretrainedParams`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    segmenter: SegmenterName = Field(
        default="underthesea",
        description="What joins syllables into words (`khách_hàng`); `none` leaves the words of the transcript.",
    )
    tone_style: ToneStyle = Field(
        default="new",
        description="Place of the tone mark: `new` (hoà, khoẻ, thuý), `old` (hòa, khỏe, thúy), `keep` as written.",
    )
    read_numbers: bool = Field(
        default=False, description="Write numbers, money, dates, times and phone numbers as they are spoken."
    )
    read_abbreviations: bool = Field(
        default=False, description="Write out the chat abbreviations that have one meaning (`ko`, `sđt`)."
    )
    max_tokens: int = Field(
        default=96,
        ge=4,
        description="Most ids of a transcript, those of its begin and end included; a longer one keeps both ends.",
    )
    unreadable: Unreadable = Field(
        default="refuse",
        description="A transcript without one known token, such as emoji alone: refused, or kept as unknown tokens.",
    )
