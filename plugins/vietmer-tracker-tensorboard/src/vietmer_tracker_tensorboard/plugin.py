"""What this plugin offers: `tracker: tensorboard`. TensorBoard and torch are imported when the tracker is built."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl


class TensorBoardParams(BaseModel):
    """Parameters of `tracker: tensorboard`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["tensorboard"] = "tensorboard"
    flush_seconds: float = Field(default=10, gt=0, description="Seconds after which what is buffered is written.")


def build(params: TensorBoardParams) -> object:
    """Make `tracker: tensorboard`."""
    from vietmer_tracker_tensorboard.tracker import TensorBoardTracker

    return TensorBoardTracker(flush_seconds=params.flush_seconds)


@hookimpl
def register_components() -> Sequence[Component]:
    """The TensorBoard tracker."""
    return [
        Component(
            role=Role.TRACKER,
            params=TensorBoardParams,
            build=build,
            summary="Writes steps and epochs for TensorBoard into the run folder.",
            licence="Apache-2.0",
        )
    ]
