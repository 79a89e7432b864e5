"""From an id on the hub, or a folder, to files on this machine and a record of them. Torch-free."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.hub import hub_folder, remedy
from vietmer_core.pretrained.licences import licence_of, warn_of_licence
from vietmer_core.pretrained.params import PretrainedParams, is_folder
from vietmer_core.pretrained.weights import (
    CONFIG_FILE,
    PICKLED_WEIGHTS,
    READ_FILES,
    SAFE_WEIGHTS,
    missing_parts,
    weight_files,
)


@attrs.frozen(kw_only=True)
class CheckpointRecord:
    """Where the weights of an encoder come from; kept in the run's provenance.

    Attributes:
        checkpoint: Id on the hub, or folder, as the spec names it.
        revision: As the spec names it.
        commit: Commit on the hub; None for a folder.
        weights: `pretrained`, or `random` where only the configuration was read.
        licence: SPDX name of the licence of the weights, or `unknown`.
        files: SHA-256 of each file of weights, configuration, tokenizer and frontend, by name.
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
        files={path.name: _sha256(path) for path in _read_files(folder, with_weights=pretrained)},
    )
    return Checkpoint(folder=folder, record=record)


def checkpoint_folder(checkpoint: str, revision: str | None, *, with_weights: bool) -> tuple[Path, str | None]:
    """The folder of a checkpoint and, where it comes from the hub, its commit.

    Raises:
        CheckpointError: as `open_checkpoint`.
    """
    if is_folder(checkpoint):
        folder, commit = _local(checkpoint), None
        cure = "Download the checkpoint again"
    else:
        folder, commit = hub_folder(checkpoint, revision, with_weights=with_weights)
        cure = f"If the hub holds more, it could not be reached. {remedy(checkpoint, revision)}"
    if not (folder / CONFIG_FILE).is_file():
        raise CheckpointError(
            f"checkpoint `{checkpoint}`: `{folder}` has no `{CONFIG_FILE}`, so it holds no model. {cure}."
        )
    if with_weights:
        _require_weights(checkpoint, folder, cure=cure)
    return folder, commit


def _require_weights(checkpoint: str, folder: Path, *, cure: str) -> None:
    if not weight_files(folder):
        raise CheckpointError(
            f"checkpoint `{checkpoint}`: `{folder}` has no weights; one of {', '.join(SAFE_WEIGHTS + PICKLED_WEIGHTS)} "
            f"must be there. {cure}."
        )
    lacking = missing_parts(folder)
    if lacking:
        raise CheckpointError(
            f"checkpoint `{checkpoint}`: `{folder}` lacks {', '.join(lacking[:3])}"
            f"{f' and {len(lacking) - 3} more' if len(lacking) > 3 else ''}. {cure}."
        )


def _local(checkpoint: str) -> Path:
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder
    what = "is a file, not a folder" if folder.exists() else "does not exist"
    raise CheckpointError(
        f"checkpoint `{checkpoint}`: the folder `{folder.absolute()}` {what}. Put the checkpoint there, or name its "
        "folder in `checkpoint`; that of a run stands in its `spec.yaml`."
    )


def _read_files(folder: Path, *, with_weights: bool) -> list[Path]:
    """The files that decide what the model computes."""
    found = [folder / name for name in READ_FILES if (folder / name).is_file()]
    return [*found, *(weight_files(folder) if with_weights else [])]


def _sha256(path: Path) -> str:
    found = path.stat()
    return _sha256_of(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, size: int, modified: int) -> str:  # noqa: ARG001  # a changed file is hashed again
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
