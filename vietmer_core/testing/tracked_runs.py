"""A real training in a tenth of a second, of the kit's own parts, with a tracker or without it."""

import atexit
import json
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, final

import attrs
from torch import Tensor

from vietmer_core.components import Component
from vietmer_core.errors import RunError
from vietmer_core.hooks import hookimpl
from vietmer_core.records import StepRecord
from vietmer_core.testing.outbound import audited, outbound
from vietmer_core.testing.tracked_parts import kit_catalogue, kit_spec
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run

WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
Weights = dict[str, Tensor]


@final
class StopAt:
    """An observer that fails after a step, as a kill would come."""

    def __init__(self, step: int) -> None:
        self._step = step

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        """Fail at the step."""
        if step.step == self._step:
            raise InterruptedError("of the kit")


@attrs.frozen(kw_only=True, eq=False)
class WatchedRun:
    """What a run with a tracker did.

    Attributes:
        weights: At its end; None where it failed.
        error: Why it failed.
        attempts: To reach another machine.
        outside: Files written that do not stand below the folder of the runs.
    """

    weights: Weights | None
    error: Exception | None
    attempts: tuple[str, ...]
    outside: tuple[str, ...]


@lru_cache(maxsize=8)
def folder_of_runs(tracker: Component | None, params: str) -> Path:
    """Where the runs with a tracker stand, all in one folder, as a user's do; removed when the process ends."""
    del tracker, params
    place = Path(tempfile.mkdtemp(prefix="vietmer-kit-")).resolve()
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    (place / "runs").mkdir()
    return place / "runs"


def _weights(folder: RunFolder) -> Weights:
    weights: Weights = load_checkpoint(folder.last_checkpoint)["model"]
    return weights


@lru_cache(maxsize=1)
def weights_without() -> Weights:
    """At the end of a run without any tracker."""
    root, catalogue = folder_of_runs(None, ""), kit_catalogue(None)
    folder, _ = start_run(kit_spec(root, catalogue, []), root=root, catalogue=catalogue)
    return _weights(folder)


@lru_cache(maxsize=4)
def watched_run(tracker: Component, params: str) -> WatchedRun:
    """A whole run with a tracker, its sockets refused; once for all checks.

    Args:
        tracker: The component.
        params: Its parameters, as JSON.
    """
    attempts: list[str] = []
    written: list[str] = []

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        attempt = outbound(event, arguments)
        if attempt:
            attempts.append(attempt)
            raise PermissionError(f"refused: {attempt}")
        path = _written(event, arguments)
        if path:
            written.append(os.path.abspath(path))  # noqa: PTH100  # `resolve` would open links, and be told of itself

    weights, error = None, None
    root, catalogue = folder_of_runs(tracker, params), kit_catalogue(tracker)
    spec = kit_spec(root, catalogue, [json.loads(params)])
    try:
        with audited(listen):
            folder, _ = start_run(spec, root=root, catalogue=catalogue)
        weights = _weights(folder)
    except Exception as failure:  # noqa: BLE001  # a check says which
        error = failure
    outside = {path for path in written if not Path(path).is_relative_to(root)}
    return WatchedRun(weights=weights, error=error, attempts=tuple(attempts), outside=tuple(sorted(outside)))


def _written(event: str, arguments: tuple[Any, ...]) -> str:
    """The path that an audit event opens for writing or makes; an empty string for all else."""
    paths: dict[str, int] = {"os.mkdir": 0, "sqlite3.connect": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1}
    if event == "open":
        path = arguments[0] if int(arguments[2] or 0) & WRITES else ""
    else:
        path = arguments[paths[event]] if event in paths else ""
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    is_code = "__pycache__" in str(path)  # compiled when a module is imported first
    return path if isinstance(path, str) and path != ":memory:" and not path.startswith("/dev/") and not is_code else ""


def weights_of_two_parts(tracker: Component, params: str, *, stop_at: int) -> Weights:
    """At the end of a run with a tracker, which failed after a step and continues with another one.

    Raises:
        VietmerError: if the tracker fails in either part.
    """
    root, catalogue = folder_of_runs(tracker, params), kit_catalogue(tracker)
    before = set(root.glob("*/spec.yaml"))
    spec = kit_spec(root, catalogue, [json.loads(params)])
    try:
        start_run(spec, root=root, catalogue=catalogue, observers=[StopAt(stop_at)])
    except RunError as error:
        if "InterruptedError: of the kit" not in str(error):
            raise
    (stopped,) = set(root.glob("*/spec.yaml")) - before
    folder, _ = resume_run(stopped.parent, catalogue=catalogue)
    return _weights(folder)
