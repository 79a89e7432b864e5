"""What this plugin offers: `sampler: length_bucket`. Torch-free."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from vietmer_core.components import Component, Role
from vietmer_core.data.batch_params import BucketParams
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Sampler, UtteranceSizes


class LengthBucketSamplerParams(BucketParams):
    """Parameters of `sampler: length_bucket`."""

    kind: Literal["length_bucket"] = "length_bucket"


def build(params: LengthBucketSamplerParams, *, sizes: "UtteranceSizes", seed: int) -> "Sampler":
    """Make `sampler: length_bucket`."""
    from vietmer_core.data.buckets import make_buckets
    from vietmer_sampler_length_bucket.sampler import LengthBucketSampler

    return LengthBucketSampler(buckets=make_buckets(sizes, params), seed=seed)


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
