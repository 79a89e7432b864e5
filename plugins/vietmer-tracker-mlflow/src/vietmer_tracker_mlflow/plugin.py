"""What this plugin offers: `tracker: mlflow`. MLflow is imported by `build`, after its usage data is switched off."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.spec_fields import Text, stated


class MLflowParams(BaseModel):
    """Parameters of `tracker: mlflow`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["mlflow"] = "mlflow"
    store: Text = Field(default="mlflow.db", description="SQLite file, relative to the folder that holds the runs.")
    experiment: Text = Field(default="vietmer", description="The MLflow experiment that the runs belong to.")

    @field_validator("store")
    @classmethod
    def _is_a_file(cls, store: str) -> str:
        if "://" in store or "?" in store:
            raise stated(f"must be the path of a file, without `://` and `?`, but is `{store}` instead.")
        return store


def build(params: MLflowParams) -> object:
    """Make `tracker: mlflow`."""
    from vietmer_tracker_mlflow.usage_data import switch_off_usage_data

    switch_off_usage_data()
    from vietmer_tracker_mlflow.tracker import MLflowTracker

    return MLflowTracker(store=params.store, experiment=params.experiment)


@hookimpl
def register_components() -> Sequence[Component]:
    """The MLflow tracker."""
    return [
        Component(
            role=Role.TRACKER,
            params=MLflowParams,
            build=build,
            summary="Keeps runs in MLflow's local SQLite store; sends nothing.",
            licence="Apache-2.0",
        )
    ]
