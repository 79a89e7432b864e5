"""What this plugin offers: `executor: slurm`. submitit is imported by `build`."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from vietmer_core.ablation.executor import Executor
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.spec_fields import Text

Option = StrictBool | StrictInt | StrictStr


class SlurmParams(BaseModel):
    """Parameters of `executor: slurm`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["slurm"] = "slurm"
    cluster: Literal["slurm", "local"] = Field(
        default="slurm", description="`local` runs processes of this machine instead, to try a matrix."
    )
    partition: Text | None = Field(default=None, description="As `sbatch` takes it.")
    account: Text | None = Field(default=None, description="As `sbatch` takes it.")
    qos: Text | None = Field(default=None, description="As `sbatch` takes it.")
    constraint: Text | None = Field(default=None, description="As `sbatch` takes it.")
    minutes: int = Field(default=60, ge=1, description="Time limit of a cell for which the matrix gives none.")
    jobs: int | None = Field(default=None, ge=1, description="Cells that run at a time.")
    setup: tuple[Text, ...] = Field(default=(), description="Shell lines before the cell, such as `module load cuda`.")
    extra: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], Option] = Field(
        default_factory=dict, description="Further options of `sbatch`, by their long names."
    )
    requeues: int = Field(
        default=3, ge=0, description="Times that a cell goes on after its time limit, preemption or a lost node."
    )
    poll_seconds: float = Field(default=20.0, gt=0, description="Between two questions to `sacct`.")


def build(params: SlurmParams) -> Executor:
    """Make `executor: slurm`."""
    from vietmer_executor_slurm.executor import SlurmExecutor

    return SlurmExecutor(params)


@hookimpl
def register_components() -> Sequence[Component]:
    """The Slurm executor."""
    return [
        Component(
            role=Role.EXECUTOR,
            params=SlurmParams,
            build=build,
            summary="Jobs of a Slurm cluster, through submitit.",
            licence="Apache-2.0",
            tiny={"cluster": "local", "jobs": 1, "poll_seconds": 0.2, "requeues": 0},
        )
    ]
