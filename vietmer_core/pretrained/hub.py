"""Fetching a checkpoint from the hub, or finding it in the hub's cache; each failure is one sentence. Torch-free."""

import os
import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.weights import (
    CONFIG_FILE,
    FILES,
    PICKLED_WEIGHTS,
    SAFE_WEIGHTS,
    missing_parts,
    weight_files,
)

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_QUIET: Final = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "DISABLE_SAFETENSORS_CONVERSION": "1",
}


def quieten_libraries() -> None:
    """Keep transformers and huggingface_hub from sending anything of their own accord, imported already or not."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    constants = sys.modules.get("huggingface_hub.constants")  # an encoder's module imports transformers, which read it
    if constants is not None and os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1":
        vars(constants)["HF_HUB_DISABLE_TELEMETRY"] = True


@lru_cache(maxsize=64)
def hub_folder(checkpoint: str, revision: str | None, *, with_weights: bool) -> tuple[Path, str | None]:
    """The snapshot of a checkpoint in the hub's cache, fetched where it is not there, and its commit.

    A commit whose files are in the cache is read from there, and the hub is not asked. Asked once a process.

    Raises:
        CheckpointError: if it cannot be found or fetched.
    """
    quieten_libraries()
    if revision is not None and _COMMIT.fullmatch(revision):
        folder = _cached(checkpoint, revision)
        if folder is not None and _is_whole(folder, with_weights=with_weights):
            return folder, revision
    folder = _fetched(checkpoint, revision, FILES)
    commit = folder.name if _COMMIT.fullmatch(folder.name) else None
    if with_weights:
        at = commit or revision
        folder = _fetched(checkpoint, at, SAFE_WEIGHTS)
        if not weight_files(folder):
            folder = _fetched(checkpoint, at, PICKLED_WEIGHTS)
    return folder, commit


def _is_whole(folder: Path, *, with_weights: bool) -> bool:
    if not (folder / CONFIG_FILE).is_file():
        return False
    return not with_weights or (bool(weight_files(folder)) and not missing_parts(folder))


def _cached(checkpoint: str, commit: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    patterns = list(FILES)
    try:
        return Path(str(snapshot_download(checkpoint, revision=commit, allow_patterns=patterns, local_files_only=True)))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _fetched(checkpoint: str, revision: str | None, patterns: Iterable[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(str(snapshot_download(checkpoint, revision=revision, allow_patterns=list(patterns))))
    except Exception as error:  # what it raises depends on its transport too; all of it means: not fetched
        raise CheckpointError(f"checkpoint `{checkpoint}` {_reason(checkpoint, revision, error)}.") from error


def _reason(checkpoint: str, revision: str | None, error: Exception) -> str:
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError():
            return "must be asked for on its page. Ask for access there, then run `hf auth login`"
        case errors.RevisionNotFoundError():
            return f"has no revision `{revision}`. Correct `revision`, or leave it out"
        case errors.RepositoryNotFoundError() | errors.HFValidationError():
            folder = f"a folder is written `./{checkpoint}`"
            return f"is not on the hub, or is private. Correct the id ({folder}), or run `hf auth login`"
        case errors.LocalEntryNotFoundError():
            return _unreachable(checkpoint, revision)
        case _:
            told = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
            return f"cannot be fetched: {told}"


def _unreachable(checkpoint: str, revision: str | None) -> str:
    if Path(checkpoint).is_dir():
        return f"is an id on the hub, but a folder of that name is here. To mean the folder, write `./{checkpoint}`"
    at = f" at revision `{revision}`" if revision else ""
    return f"is not on this machine{at}, or not whole, and the hub cannot be reached. {remedy(checkpoint, revision)}"


def remedy(checkpoint: str, revision: str | None) -> str:
    """How a checkpoint of the hub comes to a machine that does not reach it; a sentence without its full stop."""
    name = checkpoint.rsplit("/", maxsplit=1)[-1]
    option = f" --revision {revision}" if revision else ""
    return (
        f"On a machine that reaches it run `hf download {checkpoint}{option} --local-dir {name}`, copy that folder "
        f"beside the spec and name it there: `checkpoint: ./{name}`"
    )
