"""Checkpoints: all that a run needs to continue exactly where it was, in one file, written whole or not at all."""

import io
from pathlib import Path
from typing import Any, Final

import attrs
import torch

from vietmer_core.errors import RunError
from vietmer_core.files import write_atomically

FORMAT: Final = 1


@attrs.define(kw_only=True)
class Progress:
    """How far a run is, and what it has seen of the epoch so far."""

    step: int = 0
    loss_sum: float = 0.0
    num_utterances: int = 0
    best_value: float | None = None
    best_epoch: int | None = None
    epochs_since_best: int = 0
    seconds: float = 0.0


def save_checkpoint(*paths: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint to each path; the previous one stays whole until the new one is.

    Raises:
        RunError: if it cannot be written.
    """
    buffer = io.BytesIO()
    try:
        torch.save({"format": FORMAT, **state}, buffer)
    except (MemoryError, RuntimeError) as error:
        raise RunError(f"{paths[0]}: cannot be written: the memory does not suffice for it.") from error
    for path in paths:
        write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path, *, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are unpickled.

    Raises:
        RunError: if there is none, or it is damaged or of another format.
    """
    if not path.is_file():
        raise RunError(f"{path}: there is no checkpoint; the run ended before its first one.")
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # noqa: BLE001  # what torch raises for a damaged file depends on the damage
        is_told = bool(str(error)) and "weights_only" not in str(error)  # torch's advice to unpickle whatever it is
        reason = str(error).splitlines()[0] if is_told else "it is no checkpoint"
        raise RunError(
            f"{path}: the checkpoint is damaged: {reason}. Put a periodic one (`step-*.pt`) in its place, or train "
            "anew."
        ) from None
    if not isinstance(state, dict):
        raise RunError(f"{path}: the checkpoint must hold a mapping, but holds {type(state).__name__} instead.")
    if state.get("format") != FORMAT:
        raise RunError(f"{path}: the checkpoint must have format {FORMAT}, but has {state.get('format')} instead.")
    return state
