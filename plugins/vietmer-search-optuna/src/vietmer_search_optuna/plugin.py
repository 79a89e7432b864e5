"""What this plugin offers: `search: optuna`. Optuna is imported by `build`."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.ablation.search.searcher import Searcher
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl


class OptunaParams(BaseModel):
    """Parameters of `search: optuna`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["optuna"] = "optuna"
    sampler: Literal["tpe", "random"] = Field(default="tpe", description="How trials are proposed.")
    seed: int = Field(default=0, ge=0, lt=2**32, description="Of the sampler.")
    startup_trials: int = Field(default=10, ge=0, description="Trials drawn at random before `tpe` takes over.")
    pruner: Literal["median", "none"] = Field(
        default="median", description="`median` stops a trial that is below the median of the others at its epoch."
    )
    pruner_startup_trials: int = Field(default=5, ge=1, description="Finished trials before one is stopped.")
    pruner_warmup_epochs: int = Field(default=3, ge=0, description="Epochs of each trial before it is stopped.")


def build(params: OptunaParams) -> Searcher:
    """Make `search: optuna`."""
    from vietmer_search_optuna.searcher import OptunaSearcher

    return OptunaSearcher(params)


@hookimpl
def register_components() -> Sequence[Component]:
    """The search by Optuna."""
    return [
        Component(
            role=Role.SEARCH,
            params=OptunaParams,
            build=build,
            summary="Trials proposed by Optuna (TPE or random), kept in its SQLite storage.",
            licence="Apache-2.0",
            tiny={"startup_trials": 2},
        )
    ]
