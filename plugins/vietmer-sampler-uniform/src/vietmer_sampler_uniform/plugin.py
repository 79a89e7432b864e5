"""What this plugin offers: `sampler: uniform`. Torch-free."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Sampler, UtteranceSizes


class UniformSamplerParams(BaseModel):
    """Parameters of `sampler: uniform`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["uniform"] = "uniform"
    batch_size: int = Field(default=8, ge=1)
    drop_last: bool = False


def build(params: UniformSamplerParams, *, sizes: "UtteranceSizes", seed: int) -> "Sampler":
    """Make `sampler: uniform`."""
    from vietmer_sampler_uniform.sampler import UniformSampler

    return UniformSampler(
        num_utterances=len(sizes), batch_size=params.batch_size, drop_last=params.drop_last, seed=seed
    )


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
