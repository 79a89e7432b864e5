"""What this plugin offers: `sampler: length_bucket`. Torch-free."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Sampler, UtteranceSizes


class LengthBucketSamplerParams(BaseModel):
    """Parameters of `sampler: length_bucket`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["length_bucket"] = "length_bucket"
    batch_size: int = Field(default=8, ge=1)
    alpha: float = Field(default=0.03, ge=0, allow_inf_nan=False)
    pool_batches: int | None = Field(default=100, ge=0)
    jitter: float = Field(default=0.02, gt=0, le=1)


def build(params: LengthBucketSamplerParams, *, sizes: "UtteranceSizes", seed: int) -> "Sampler":
    """Make `sampler: length_bucket`."""
    from vietmer_sampler_length_bucket.sampler import LengthBucketSampler, mixed_lengths

    return LengthBucketSampler(
        lengths=mixed_lengths(sizes, alpha=params.alpha),
        batch_size=params.batch_size,
        pool_batches=params.pool_batches or None,
        jitter=params.jitter,
        seed=seed,
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """The sampler of like lengths."""
    return [
        Component(
            role=Role.SAMPLER,
            params=LengthBucketSamplerParams,
            build=build,
            summary="Every utterance once an epoch, in batches of like length that differ from epoch to epoch.",
            licence="Apache-2.0",
            tiny={"batch_size": 2, "pool_batches": 4},
        )
    ]
