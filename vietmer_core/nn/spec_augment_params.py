"""What an encoder can be told of SpecAugment. Torch-free."""

from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from vietmer_core.spec_fields import not_a_switch

_Number = Annotated[float, BeforeValidator(not_a_switch)]
_WholeNumber = Annotated[int, BeforeValidator(not_a_switch)]


class SpecAugmentParams(BaseModel):
    """Spans of frames, and of columns, hidden in training (Park et al. 2019; Baevski et al. 2020, section 4.2)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    time_probability: _Number = Field(
        default=0.05, ge=0, le=1, description="Share of the frames hidden, were there no overlaps."
    )
    time_span: _WholeNumber = Field(default=10, ge=1, description="Frames of a span.")
    time_min_spans: _WholeNumber = Field(default=2, ge=0, description="Spans of an utterance at least, if they fit.")
    feature_probability: _Number = Field(
        default=0.0, ge=0, le=1, description="Share of the columns hidden, were there no overlaps."
    )
    feature_span: _WholeNumber = Field(default=10, ge=1, description="Columns of a span.")
    feature_min_spans: _WholeNumber = Field(default=0, ge=0, description="Spans of columns at least.")

    @model_validator(mode="after")
    def _hides_something(self) -> Self:
        if not self.time_probability and not self.feature_probability:
            raise ValueError(
                "`time_probability` or `feature_probability` must be above 0; leave `spec_augment` out to hide nothing."
            )
        return self
