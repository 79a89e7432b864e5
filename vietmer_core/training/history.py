"""How a run came about: where it was continued, and with which settings. Torch-free."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from vietmer_core.training.resuming import PROVENANCE_FILE, Changes
from vietmer_core.training.run_folder import RunFolder

Position = tuple[int, int]
"""An epoch, from 0, and how many of its steps are done."""
START: Final[Position] = (0, 0)


def note_resumption(
    folder: RunFolder,
    *,
    step: int,
    position: Position,
    processes: int,
    changes: Changes,
    specs: tuple[Mapping[str, Any], Mapping[str, Any]],
    new_versions: Mapping[str, str] | None,
    data: Mapping[str, str],
) -> None:
    """Write into the provenance that the run goes on, from where, and with what.

    Args:
        folder: Of the run.
        step: Steps that are done.
        position: Where it goes on.
        processes: How many go on.
        changes: Of its settings.
        specs: Resolved, before and after; kept where there are changes.
        new_versions: Of what computes, where they are others.
        data: Fingerprints with which it goes on.
    """
    record = folder.read_json(PROVENANCE_FILE)
    entry: dict[str, Any] = {"step": step, "position": list(position), "processes": processes}
    entry["at"] = datetime.now().astimezone().isoformat(timespec="seconds")
    if changes:
        entry["changes"] = {field: {"before": old, "after": new} for field, (old, new) in changes.items()}
        entry["before"], entry["after"] = map(dict, specs)
    if new_versions is not None:
        entry["versions"] = dict(new_versions)
    resumed = [*record.get("resumed", []), entry]
    folder.write_json(PROVENANCE_FILE, {**record, "data": {**record.get("data", {}), **data}, "resumed": resumed})


def stages(record: Mapping[str, Any], final: Mapping[str, Any]) -> list[tuple[dict[str, Any], Position | None]]:
    """The resolved spec of each stage of a run, without trackers, and the position at which it ended; None is the end.

    A continuation whose spec was never used, since a kill came before it was written, is left out; of several from one
    position, the last one counts.

    Args:
        record: The provenance of the run.
        final: Its resolved spec.
    """
    current = _untracked(final)
    taken: dict[Position, dict[str, Any]] = {}
    for entry in reversed([entry for entry in record.get("resumed", []) if "after" in entry]):
        if _untracked(entry["after"]) != current:
            continue
        epoch, consumed = entry["position"]
        taken.setdefault((epoch, consumed), current)
        current = _untracked(entry["before"])
    found = {START: current, **dict(reversed(taken.items()))}
    return list(zip(found.values(), [*list(found)[1:], None], strict=True))


def _untracked(resolved: Mapping[str, Any]) -> dict[str, Any]:
    return {**resolved, "trackers": []}
