"""Every hook of VietMER, one line each. A plugin implements those it needs with `@hookimpl`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from vietmer_core.components import Component
    from vietmer_core.records import CacheRecord, EpochRecord, FinishRecord, RunRecord, StepRecord

PROJECT: Final = "vietmer"
ENTRY_POINT_GROUP: Final = "vietmer"

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_components() -> "Sequence[Component]":  # type: ignore[empty-body]  # a specification has no body
    """Return the components that this plugin offers."""


@hookspec
def fill_cache(progress: "CacheRecord") -> None:
    """The states of a frozen encoder are being computed for the feature cache: at its begin, each batch, its end."""


@hookspec
def start_run(run: "RunRecord") -> None:
    """A training run starts, or continues."""


@hookspec
def end_step(step: "StepRecord") -> None:
    """The optimiser has taken one step."""


@hookspec
def end_epoch(epoch: "EpochRecord") -> None:
    """One pass over the training split has ended and the validation split is scored."""


@hookspec
def finish_run(finish: "FinishRecord") -> None:
    """The run has ended, was interrupted or failed."""
