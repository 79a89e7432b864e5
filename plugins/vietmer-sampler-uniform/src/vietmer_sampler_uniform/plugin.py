"""What this plugin offers: `sampler: uniform`. Torch-free."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from vietmer_core.components import Component, Role
from vietmer_core.data.batch_params import BatchLimits
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Sampler, UtteranceSizes


class UniformSamplerParams(BatchLimits):
    """Parameters of `sampler: uniform`."""

    kind: Literal["uniform"] = "uniform"
    drop_last: bool = Field(default=False, description="Leave the last batch out if it is not full.")


def build(params: UniformSamplerParams, *, sizes: "UtteranceSizes", seed: int) -> "Sampler":
    """Make `sampler: uniform`."""
    from vietmer_core.data.batching import row_limits
    from vietmer_sampler_uniform.sampler import UniformSampler

    return UniformSampler(rows=row_limits(sizes, params), drop_last=params.drop_last, seed=seed)


@hookimpl
def register_components() -> Sequence[Component]:
    """The uniform sampler."""
    return [
        Component(
            role=Role.SAMPLER,
            params=UniformSamplerParams,
            build=build,
            summary="Every utterance once an epoch, in a fresh random order.",
            licence="Apache-2.0",
            tiny={"batch_size": 2},
        )
    ]
