"""Leaks of trackers, with the checks that must catch them and their cures."""

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel

from vietmer_core.components import Component, Role
from vietmer_core.testing.leaky import parts, trackers
from vietmer_core.testing.leaky.leak import Leak


def _tracker(make: Callable[[], Any]) -> Component:
    return parts.component(Role.TRACKER, lambda _params: make())


def build_heavy(_params: BaseModel) -> trackers.Silent:
    """Make a tracker; this module imports torch when it is listed."""
    return trackers.Silent()


_SHARED: Final = trackers.Silent()

TRACKERS: Final[tuple[Leak, ...]] = (
    Leak(
        name="a library that is imported when the plugin is listed",
        component=parts.component(Role.TRACKER, build_heavy),
        caught_by=("tracker_light",),
        cure="import it inside `build`",
    ),
    Leak(
        name="a hook that does not exist",
        component=_tracker(trackers.MisspeltHook),
        caught_by=("tracker_hooks",),
        cure="implement hooks of `docs/hooks.md`",
    ),
    Leak(
        name="one observer for all runs",
        component=_tracker(lambda: _SHARED),
        caught_by=("tracker_hooks",),
        cure="make it in `build`",
    ),
    Leak(
        name="scores rounded in the record",
        component=_tracker(trackers.RoundsRecords),
        caught_by=("tracker_records",),
        cure="round a copy",
    ),
    Leak(
        name="usage data sent in silence",
        component=_tracker(trackers.SendsUsage),
        caught_by=("tracker_offline",),
        cure="switch it off before the library is imported, in the environment too",
    ),
    Leak(
        name="a log in the folder for temporary files",
        component=_tracker(trackers.WritesElsewhere),
        caught_by=("tracker_folder",),
        cure="write into `run.folder`, or beside it",
    ),
    Leak(
        name="steps drawn from torch's generator",
        component=_tracker(trackers.DrawsSteps),
        caught_by=("tracker_weights", "tracker_continues"),
        cure="keep a generator of its own",
    ),
    Leak(
        name="a folder that must not be there yet",
        component=_tracker(trackers.NewFolderAlone),
        caught_by=("tracker_continues",),
        cure="look at `run.first_step`: the run may continue",
    ),
)
