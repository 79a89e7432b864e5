"""What this plugin offers: `sampler: weighted`. Torch-free."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from vietmer_core.components import Component, Role
from vietmer_core.data.batch_params import BatchLimits, WeightParams
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Sampler, UtteranceSizes


class WeightedSamplerParams(BatchLimits, WeightParams):
    """Parameters of `sampler: weighted`."""

    kind: Literal["weighted"] = "weighted"


def build(params: WeightedSamplerParams, *, sizes: "UtteranceSizes", seed: int) -> "Sampler":
    """Make `sampler: weighted`."""
    from vietmer_core.data.batching import row_limits
    from vietmer_core.data.class_draws import make_draws
    from vietmer_sampler_weighted.sampler import WeightedSampler

    return WeightedSampler(draws=make_draws(sizes, params), rows=row_limits(sizes, params), seed=seed)


@hookimpl
def register_components() -> Sequence[Component]:
    """The sampler that weights classes."""
    return [
        Component(
            role=Role.SAMPLER,
            params=WeightedSamplerParams,
            build=build,
            summary="Draws with replacement, in which rare classes come as often as frequent ones.",
            licence="Apache-2.0",
            tiny={"batch_size": 2},
        )
    ]
