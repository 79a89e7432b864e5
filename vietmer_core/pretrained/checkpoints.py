"""From an id on the hub, or a folder, to files on this machine and a record of them. Torch-free."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.licences import licence_of, warn_of_licence
from vietmer_core.pretrained.params import PretrainedParams, is_folder

CONFIG_FILE: Final = "config.json"
FILES: Final = ("*.json", "*.txt", "*.codes", "*.model", "README.md")
"""Configuration, tokenizer, frontend and model card."""
SAFE_WEIGHTS: Final = ("model.safetensors", "model-*-of-*.safetensors")
PICKLED_WEIGHTS: Final = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@attrs.frozen(kw_only=True)
class CheckpointRecord:
    """Where the weights of an encoder come from; kept in the run's provenance.

    Attributes:
        checkpoint: Id on the hub, or folder, as the spec names it.
        revision: As the spec names it.
        commit: Commit on the hub; None for a folder.
        weights: `pretrained`, or `random` where only the configuration was read.
        licence: SPDX name of the licence of the weights, or `unknown`.
        files: SHA-256 of each file of weights, by name.
    """

    checkpoint: str
    revision: str | None
    commit: str | None
    weights: str
    licence: str
    files: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**attrs.asdict(self), "files": dict(self.files)}


@attrs.frozen(kw_only=True)
class Checkpoint:
    """A checkpoint on this machine: its folder and its record."""

    folder: Path
    record: CheckpointRecord


def quieten_libraries() -> None:
    """Keep transformers and huggingface_hub from sending anything of their own accord; before they are imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")


def open_checkpoint(params: PretrainedParams, *, licences: Mapping[str, str]) -> Checkpoint:
    """The checkpoint of an encoder, with its weights unless they are to be random.

    Args:
        params: The encoder's parameters.
        licences: Licences of the checkpoints that the plugin knows, by id.

    Raises:
        CheckpointError: if it cannot be found or fetched, or has no configuration or no weights.
    """
    pretrained = params.weights == "pretrained"
    folder, commit = checkpoint_folder(params.checkpoint, params.revision, with_weights=pretrained)
    licence = licence_of(params.checkpoint, known=licences, folder=folder) if pretrained else "none"
    if pretrained:
        warn_of_licence(params.checkpoint, licence)
    record = CheckpointRecord(
        checkpoint=params.checkpoint,
        revision=params.revision,
        commit=commit,
        weights=params.weights,
        licence=licence,
        files={path.name: _sha256(path) for path in weight_files(folder)} if pretrained else {},
    )
    return Checkpoint(folder=folder, record=record)


@lru_cache(maxsize=64)
def checkpoint_folder(checkpoint: str, revision: str | None, *, with_weights: bool) -> tuple[Path, str | None]:
    """The folder of a checkpoint and, where it comes from the hub, its commit.

    Raises:
        CheckpointError: as `open_checkpoint`.
    """
    folder, commit = (_local(checkpoint), None) if is_folder(checkpoint) else _from_hub(checkpoint, revision)
    if not (folder / CONFIG_FILE).is_file():
        raise CheckpointError(f"checkpoint `{checkpoint}`: `{folder}` has no `{CONFIG_FILE}`, so it holds no model.")
    if with_weights and not is_folder(checkpoint):
        _fetch_weights(checkpoint, commit or revision)
    if with_weights and not weight_files(folder):
        raise CheckpointError(
            f"checkpoint `{checkpoint}`: `{folder}` has no weights; one of {', '.join(SAFE_WEIGHTS + PICKLED_WEIGHTS)} "
            "must be there. Download the checkpoint again."
        )
    return folder, commit


def weight_files(folder: Path) -> list[Path]:
    """The files of weights that are loaded: safetensors where there are any, else pickled ones."""
    for patterns in (SAFE_WEIGHTS, PICKLED_WEIGHTS):
        found = sorted(path for pattern in patterns for path in folder.glob(pattern))
        if found:
            return found
    return []


def _local(checkpoint: str) -> Path:
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder
    what = "is a file, not a folder" if folder.exists() else "does not exist"
    raise CheckpointError(f"checkpoint `{checkpoint}`: the folder `{folder.absolute()}` {what}.")


def _from_hub(checkpoint: str, revision: str | None) -> tuple[Path, str | None]:
    folder = _snapshot(checkpoint, revision, FILES)
    return folder, folder.name if _COMMIT.fullmatch(folder.name) else None


def _fetch_weights(checkpoint: str, revision: str | None) -> None:
    folder = _snapshot(checkpoint, revision, SAFE_WEIGHTS)
    if not weight_files(folder):
        _snapshot(checkpoint, revision, PICKLED_WEIGHTS)


def _snapshot(checkpoint: str, revision: str | None, patterns: Iterable[str]) -> Path:
    quieten_libraries()
    from huggingface_hub import snapshot_download

    def fetch(*, local_only: bool) -> Path:
        found = snapshot_download(
            checkpoint, revision=revision, allow_patterns=list(patterns), local_files_only=local_only
        )
        return Path(str(found))

    return _explained(checkpoint, revision, lambda: fetch(local_only=False))


def _explained(checkpoint: str, revision: str | None, fetch: Callable[[], Path]) -> Path:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name = checkpoint.rsplit("/", maxsplit=1)[-1]
    at = f" at revision `{revision}`" if revision else ""
    try:
        return fetch()
    except GatedRepoError:
        reason = "must be asked for on its page. Ask for access there, then run `hf auth login`"
    except RevisionNotFoundError:
        reason = f"has no revision `{revision}`. Correct `revision`, or leave it out"
    except (RepositoryNotFoundError, HFValidationError):
        reason = f"is not on the hub. Correct the id; a folder is written `./{checkpoint}`"
    except LocalEntryNotFoundError:
        option = f" --revision {revision}" if revision else ""
        reason = (
            f"is not on this machine{at} and the hub cannot be reached. On a machine that reaches it run "
            f"`hf download {checkpoint}{option} --local-dir {name}`, copy that folder here and "
            f"name it in the spec: `checkpoint: ./{name}`"
        )
    except OSError as error:
        reason = f"cannot be fetched: {' '.join(str(error).split())[:200]}"
    raise CheckpointError(f"checkpoint `{checkpoint}` {reason}.") from None


def _sha256(path: Path) -> str:
    found = path.stat()
    return _sha256_of(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, size: int, modified: int) -> str:  # noqa: ARG001  # a changed file is hashed again
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
