"""What samplers share of their parameters: limits of a batch, lengths, buckets, weights of classes. Torch-free."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from vietmer_core.spec_fields import not_a_switch

BATCH_SIZE: Final = 8
"""Rows of a batch where nothing else limits it."""
LIMITS: Final = ("batch_size", "max_frames", "max_tokens")

WholeNumber = Annotated[int, BeforeValidator(not_a_switch)]


class BatchLimits(BaseModel):
    """What a batch may hold; each limit that is given holds.

    Where none is given, `batch_size` is 8; with a budget it is a further limit, none by default. The validated
    parameters hold what was decided, so the resolved spec shows it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    batch_size: WholeNumber | None = Field(default=None, ge=1, description="Rows; 8 where there is no budget.")
    max_frames: WholeNumber | None = Field(
        default=None, ge=1, description="Rows × the longest audio, in frames of 20 ms whatever the encoder."
    )
    max_tokens: WholeNumber | None = Field(
        default=None, ge=1, description="Rows × the longest transcript, in space-separated syllables."
    )

    @model_validator(mode="before")
    @classmethod
    def _a_count_where_nothing_is_given(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and all(given.get(name) is None for name in LIMITS):
            return {**given, "batch_size": BATCH_SIZE}
        return given

    @property
    def has_budget(self) -> bool:
        """Whether padded frames or tokens are limited."""
        return self.max_frames is not None or self.max_tokens is not None


class LengthParams(BaseModel):
    """How one length is made of the audio and the transcript of an utterance."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    alpha: float = Field(
        default=0.03, ge=0, allow_inf_nan=False, description="Seconds of audio that one word counts for."
    )


class BucketParams(BatchLimits, LengthParams):
    """How utterances of like length come together."""

    canonical: bool = Field(default=False, description="Only utterances of equal edges of audio and text in a batch.")
    pool_batches: WholeNumber | None = Field(
        default=None, ge=0, description="Batches of a pool that is sorted; the whole epoch by default, and with 0."
    )
    jitter: float = Field(
        default=0.02, gt=0, le=1, description="Largest share of its length by which a length is changed for the sort."
    )

    @field_validator("pool_batches")
    @classmethod
    def _one_pool_for_edges(cls, pool_batches: int | None, info: ValidationInfo) -> int | None:
        if pool_batches and info.data.get("canonical"):
            raise ValueError(
                f"must be null where `canonical` is true, but is {pool_batches} instead: every pool would leave a "
                "part-filled batch of each pair of edges"
            )
        return pool_batches or None


class WeightParams(LengthParams):
    """How often the utterances of a class are drawn."""

    length_exponent: float = Field(
        default=0.5, ge=0, le=10, description="w = 1 / (utterances of the class × their mean length to this power)."
    )
    draws_per_epoch: WholeNumber | None = Field(
        default=None, ge=1, description="Draws of an epoch; as many as the split has utterances by default."
    )
