"""What this plugin offers: `executor: ray`. Ray is imported by `build`, after its usage data is switched off."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from vietmer_core.ablation.executor import Executor
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.spec_fields import Text, stated


class RayParams(BaseModel):
    """Parameters of `executor: ray`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["ray"] = "ray"
    address: Text | None = Field(
        default=None, description="Of a cluster, `HOST:PORT`, or `auto`; a cluster of this machine alone by default."
    )
    jobs: int | None = Field(default=None, ge=1, description="Workers at a time; as many as fit by default.")
    retries: int = Field(default=3, ge=0, description="Times that a cell is begun again that was lost with its worker.")
    wait_minutes: float = Field(
        default=0, ge=0, description="How long to wait for a machine that has what a cell needs."
    )

    @field_validator("address")
    @classmethod
    def _is_direct(cls, address: str | None) -> str | None:
        if address is not None and "://" in address:
            raise stated(f"must be `HOST:PORT` or `auto`, without `://`, but is `{address}` instead.")
        return address


def build(params: RayParams) -> Executor:
    """Make `executor: ray`."""
    from vietmer_executor_ray.usage_data import switch_off_usage_data

    switch_off_usage_data()
    from vietmer_executor_ray.executor import RayExecutor

    return RayExecutor(
        address=params.address, jobs=params.jobs, retries=params.retries, wait_seconds=60 * params.wait_minutes
    )


@hookimpl
def register_components() -> Sequence[Component]:
    """The Ray executor."""
    return [
        Component(
            role=Role.EXECUTOR,
            params=RayParams,
            build=build,
            summary="Workers of a Ray cluster, of this machine or of several; sends no usage data.",
            licence="Apache-2.0",
            tiny={"jobs": 1, "retries": 0},
        )
    ]
