"""What may differ between a run and its continuation, and what a difference does."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vietmer_core.components import Role
from vietmer_core.errors import OutdatedError, RunError
from vietmer_core.training.run_folder import RunFolder

PROVENANCE_FILE: Final = "provenance.json"
MAY_CHANGE: Final = ("training", "loader", "cache", "trackers", "threads", "loss", "augment", "data.faults")
"""Fields, with all below them, that a continued run may have otherwise."""
MAY_NOT_CHANGE: Final = ("training.batches_per_step", "training.monitor", "training.layer_decay")
"""Fields below those that may not all the same: the position of the run, its best epoch and the groups of its optimiser
depend on them."""
MAY_MOVE: Final = ("cache.folder",)
"""Fields that may be edited in the run's own `spec.yaml`: where something lies that changes no result."""
NEEDED: Final = ("spec", "versions", "num_steps", "progress", "batches", "optimiser", "schedule", "random", "noted")
"""What a checkpoint must hold for a run to go on from it."""
Changes = dict[str, tuple[Any, Any]]
"""The value before and the value after, by field."""


def differences(before: Any, after: Any, *, field: str = "") -> Changes:
    """The fields in which two resolved specs differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found: Changes = {}
        for name in dict.fromkeys([*before, *after]):
            below = f"{field}.{name}" if field else str(name)
            found |= differences(before.get(name), after.get(name), field=below)
        return found
    return {} if before == after else {field: (before, after)}


def described(changes: Changes) -> list[str]:
    """A line for each change."""
    return [f"`{field}`: {_value(old)} → {_value(new)}" for field, (old, new) in changes.items()]


def _value(value: Any) -> str:
    return "null" if value is None else str(value)


def _is_below(field: str, names: tuple[str, ...]) -> bool:
    return any(field == name or field.startswith(f"{name}.") for name in names)


def check_unchanged(recorded: Mapping[str, Any], found: Mapping[str, Any], *, folder: RunFolder) -> None:
    """Refuse a `spec.yaml` that was edited after the checkpoint was written, except in `MAY_MOVE`.

    What an earlier continuation has changed is known from the provenance: it may have been killed before it wrote a
    checkpoint of its own.

    Raises:
        RunError: with every difference.
    """
    resumed = folder.read_json(PROVENANCE_FILE).get("resumed", [])
    if any(isinstance(entry, Mapping) and entry.get("after") == found for entry in resumed):
        return
    changes = {name: pair for name, pair in differences(recorded, found).items() if not _is_below(name, MAY_MOVE)}
    if changes:
        raise RunError(
            f"{folder.spec_path}: the spec is another one than that of the checkpoint: "
            f"{'; '.join(described(changes))}. Restore the file, and give `--set` what the run is to go on with."
        )


def check_overrides(changes: Changes, *, folder: RunFolder) -> None:
    """Refuse overrides that would make another experiment of a run.

    Raises:
        RunError: with every field that may not change.
    """
    refused = {
        field: pair
        for field, pair in changes.items()
        if not _is_below(field, MAY_CHANGE) or _is_below(field, MAY_NOT_CHANGE)
    }
    if refused:
        raise RunError(
            f"{folder.path}: a run cannot go on with other values of {'; '.join(described(refused))}. Train anew with "
            f"`vietmer train {folder.spec_path} --set …`."
        )


def versions(record: Mapping[str, Any]) -> dict[str, str]:
    """The version of each package and plugin that a provenance record names; trackers, which compute nothing, aside."""
    packages = {name: found for name, found in record.get("packages", {}).items() if found is not None}
    rows = [row for row in record.get("components", ()) if row.get("role") != Role.TRACKER]
    return {**packages, **{row["distribution"]: row["version"] for row in rows}}


def check_versions(recorded: Mapping[str, str], found: Mapping[str, str], *, folder: RunFolder) -> None:
    """Refuse to go on with other versions than those that a run began with.

    Raises:
        RunError: with every difference.
    """
    changes = [
        f"`{name}` {old} → {found.get(name, 'none')}" for name, old in recorded.items() if found.get(name) != old
    ]
    if changes:
        raise RunError(
            f"{folder.path}: what computes has changed since the run began: {'; '.join(changes)}. Install those "
            "versions again, or go on with `--accept-versions`; the result is then no longer that of a run never "
            "stopped."
        )


def check_checkpoint(state: Mapping[str, Any], *, folder: RunFolder) -> None:
    """Refuse a checkpoint of another version of VietMER, or a damaged one.

    Raises:
        RunError: naming what it lacks.
    """
    lacking = [name for name in NEEDED if name not in state]
    if lacking:
        raise RunError(
            f"{folder.last_checkpoint}: the checkpoint lacks {', '.join(f'`{name}`' for name in lacking)}: it is "
            "damaged, or was written by another version. Train anew."
        )


def check_data(recorded: Mapping[str, str], found: Mapping[str, str], *, folder: RunFolder) -> None:
    """Refuse data that is not that of the run.

    Raises:
        OutdatedError: naming the splits.
    """
    changed = [name for name, print_ in found.items() if recorded.get(name) not in (None, print_)]
    if changed:
        prints = "; ".join(f"`{name}` {recorded[name][:12]}… → {found[name][:12]}…" for name in changed)
        raise OutdatedError(
            f"{folder.path}: the data of {' and '.join(changed)} has changed since the run began ({prints}), so it "
            "cannot be continued. Restore the data, or train anew."
        )


def effects(checkpoint: Mapping[str, Any], *, num_steps: int, rate: float, world_size: int) -> Iterator[str]:
    """What changes do to a run, a line for each.

    Args:
        checkpoint: From which it goes on.
        num_steps: Of all epochs, now.
        rate: Learning rate of the next step, now.
        world_size: Processes, now.
    """
    before, done = int(checkpoint["num_steps"]), int(checkpoint["progress"]["step"])
    if done >= num_steps:
        yield f"all {num_steps} steps are done: nothing is left to train"
        return
    if before != num_steps:
        yield f"the schedule ends at step {num_steps} instead of {before}"
    old_rate = float(checkpoint["optimiser"]["param_groups"][0]["lr"])
    if abs(old_rate - rate) > 1e-12 * max(old_rate, rate):
        yield f"the next step has a learning rate of {rate:.3g} instead of {old_rate:.3g}"
    processes = len(checkpoint["random"])
    if processes != world_size:
        yield (
            f"the number of processes is {world_size} instead of {processes}: the batches stay the same, the bits of "
            "the result do not"
        )
