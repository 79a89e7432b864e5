"""What this plugin offers: `sampler: weighted_bucket`. Torch-free."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from vietmer_core.components import Component, Role
from vietmer_core.data.batch_params import BucketParams, WeightParams
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Sampler, UtteranceSizes


class WeightedBucketSamplerParams(BucketParams, WeightParams):
    """Parameters of `sampler: weighted_bucket`."""

    kind: Literal["weighted_bucket"] = "weighted_bucket"


def build(params: WeightedBucketSamplerParams, *, sizes: "UtteranceSizes", seed: int) -> "Sampler":
    """Make `sampler: weighted_bucket`."""
    from vietmer_core.data.buckets import make_buckets
    from vietmer_core.data.class_draws import make_draws
    from vietmer_sampler_weighted_bucket.sampler import WeightedBucketSampler

    return WeightedBucketSampler(draws=make_draws(sizes, params), buckets=make_buckets(sizes, params), seed=seed)


@hookimpl
def register_components() -> Sequence[Component]:
    """The sampler that weights classes and brings like lengths together."""
    return [
        Component(
            role=Role.SAMPLER,
            params=WeightedBucketSamplerParams,
            build=build,
            summary="Draws with replacement, in which rare classes come as often as frequent ones, in batches of like "
            "length.",
            licence="Apache-2.0",
            tiny={"batch_size": 2, "pool_batches": 4},
        )
    ]
