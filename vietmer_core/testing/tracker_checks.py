"""Checks of trackers: they watch a run, real ones included, and change nothing but their own files."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

import torch

from vietmer_core.plugins import observer_fault
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.failures import ConformanceError
from vietmer_core.testing.param_checks import fresh_environment, plugin_modules
from vietmer_core.testing.run_records import finish_record, records, run_record, tell
from vietmer_core.testing.tracked_runs import (
    WatchedRun,
    folder_of_runs,
    watched_run,
    weights_of_two_parts,
    weights_without,
)

STOPS: Final = (2, 4)
"""In the middle of the first of two epochs of three steps, and of the second."""

_PROBE: Final = """
import importlib, json, sys
import vietmer_core.plugins, vietmer_core.spec_loading
before = set(sys.modules)
modules = json.loads(sys.argv[1])
for name in modules:
    importlib.import_module(name)
own = {name.split(".")[0] for name in modules} | {"vietmer_core"}
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(new - own - set(sys.stdlib_module_names))))
"""


def _fail(check: str, candidate: Candidate, message: str) -> ConformanceError:
    return ConformanceError(f"check `{check}`, component `{candidate.name}`: {message}")


def tracker_light(candidate: Candidate) -> None:
    """Listing the plugin imports no library that VietMER's own listing does not: it is imported by `build`."""
    command = [sys.executable, "-c", _PROBE, json.dumps(plugin_modules(candidate))]
    done = subprocess.run(command, env=fresh_environment(), capture_output=True, text=True, check=False)  # noqa: S603  # our own interpreter
    if done.returncode:
        raise _fail("tracker_light", candidate, f"importing it in a fresh interpreter fails:\n{done.stderr}")
    imported = json.loads(done.stdout.splitlines()[-1])
    if imported:
        raise _fail("tracker_light", candidate, f"listing it imports {', '.join(imported)}; import that in `build`.")


def tracker_hooks(candidate: Candidate) -> None:
    """`build` makes an object that implements hooks of a run, and another one for each run."""
    first, second = (candidate.component.build(candidate.params) for _ in range(2))
    fault = observer_fault(first)
    if fault:
        raise _fail("tracker_hooks", candidate, f"{fault}.")
    if first is second:
        raise _fail("tracker_hooks", candidate, "`build` must make an observer for each run, but makes one for all.")


def tracker_records(candidate: Candidate) -> None:
    """It leaves the records that it is told as they are: other observers get the same ones."""
    tracker = candidate.component.build(candidate.params)
    folder = folder_of_runs(candidate.component, _json(candidate)) / "records"
    folder.mkdir(exist_ok=True)
    _told(candidate, run_record(folder), lambda record: _call(tracker, "start_run", record))
    for record in records(range(1, 5)):
        _told(candidate, record, lambda found: tell(tracker, found))
    _told(candidate, finish_record(4), lambda record: _call(tracker, "finish_run", record))


def _json(candidate: Candidate) -> str:
    return json.dumps(candidate.params.model_dump(mode="json"))


def _call(tracker: object, hook: str, record: object) -> None:
    implementation = getattr(tracker, hook, None)
    if implementation is not None:
        implementation(record)


def _told(candidate: Candidate, record: Any, tell_it: Callable[[Any], None]) -> None:
    before = copy.deepcopy(record)
    tell_it(record)
    if record != before:
        raise _fail("tracker_records", candidate, f"it is told {before!r}, and leaves {record!r} to the others.")


def _watched(candidate: Candidate) -> WatchedRun:
    return watched_run(candidate.component, _json(candidate))


def tracker_offline(candidate: Candidate) -> None:
    """A run with it attempts to reach no other machine."""
    run = _watched(candidate)
    if run.attempts:
        raise _fail("tracker_offline", candidate, f"it attempts {', '.join(sorted(set(run.attempts)))}.")
    if run.error is not None:
        raise run.error


def tracker_folder(candidate: Candidate) -> None:
    """It writes nothing outside the folder of the runs."""
    run = _watched(candidate)
    if run.outside:
        raise _fail("tracker_folder", candidate, f"it writes {', '.join(run.outside[:5])}.")
    if run.error is not None:
        raise run.error


def tracker_weights(candidate: Candidate) -> None:
    """A run with it has the weights of a run without it, to the bit: it draws from no generator of the run."""
    run = _watched(candidate)
    if run.weights is None:
        assert run.error is not None
        raise run.error
    _require_same("tracker_weights", candidate, run.weights, "a run with the tracker")


def tracker_continues(candidate: Candidate) -> None:
    """A run that ends in the middle of an epoch continues, with a new tracker, to the same weights."""
    for step in STOPS:
        found = weights_of_two_parts(candidate.component, _json(candidate), stop_at=step)
        _require_same("tracker_continues", candidate, found, f"a run that continues after step {step}")


def _require_same(check: str, candidate: Candidate, found: dict[str, torch.Tensor], what: str) -> None:
    expected = weights_without()
    wrong = [name for name, weight in expected.items() if not torch.equal(weight, found[name])]
    if wrong:
        raise _fail(check, candidate, f"{what} has other weights than one without it: {wrong[0]}.")
