"""The weights and predictions of the best epoch, kept in step with the checkpoint from which a run goes on.

They are written before that checkpoint. A kill between the two, and a continuation with other settings, would leave the
best of a course that was never taken; so what was the best before stays until the checkpoint is written.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vietmer_core.errors import RunError
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.run_folder import STATUS_FILE, RunFolder


def _pairs(folder: RunFolder) -> Iterator[tuple[Path, Path]]:
    """Each file of the best epoch, and where that of the best before is kept."""
    for path in (folder.best_checkpoint, folder.predictions_path("valid")):
        yield path, path.with_name(f"{path.stem}.previous{path.suffix}")


def keep_previous(folder: RunFolder) -> None:
    """Keep what is the best so far, before another takes its place.

    Raises:
        RunError: if that cannot be done.
    """
    for path, previous in _pairs(folder):
        if path.exists():
            try:
                previous.unlink(missing_ok=True)
                os.link(path, previous)
            except OSError as error:
                raise RunError(f"{previous}: cannot be written: {error.strerror or error}.") from None


def forget_previous(folder: RunFolder) -> None:
    """Drop what was kept: the checkpoint knows of the new best."""
    for _, previous in _pairs(folder):
        previous.unlink(missing_ok=True)


def settle_best(folder: RunFolder, *, best_epoch: int | None) -> None:
    """Bring the best back to that of the checkpoint from which a run goes on.

    Args:
        folder: Of the run.
        best_epoch: The best epoch that the checkpoint knows of; None where it knows of none.

    Raises:
        RunError: if the best checkpoint is damaged.
    """
    known = _epoch(folder.best_checkpoint)
    if known != best_epoch:
        for path, previous in _pairs(folder):
            if best_epoch is not None and previous.exists():
                previous.replace(path)
            else:
                path.unlink(missing_ok=True)
    forget_previous(folder)
    status = {
        name: value for name, value in folder.read_json(STATUS_FILE).items() if name not in ("best", "best_epoch")
    }
    if best_epoch is not None and folder.best_checkpoint.exists():
        status |= {"best_epoch": best_epoch, "best": load_checkpoint(folder.best_checkpoint)["metrics"]}
    with suppress(RunError):  # the status is written again when the run goes on
        folder.write_json(STATUS_FILE, status)


def _epoch(path: Path) -> int | None:
    return int(load_checkpoint(path)["epoch"]) if path.exists() else None
