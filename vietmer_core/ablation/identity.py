"""The id of a cell: SHA-256 over all that can change its scores. Torch-free.

What lies where is left out, and what lies there is put in: the fingerprints of the splits instead of the paths of their
manifests, the bytes of a checkpoint's folder instead of its name. So a matrix that is moved, with its data, to another
folder or machine has the same cells. Left out, too, is what changes no score: the name, the trackers, the folder of the
cache, and an encoder that the fusion does not read.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality
from vietmer_core.errors import DataError
from vietmer_core.files import file_sha256
from vietmer_core.pretrained.params import is_folder
from vietmer_core.spec import ExperimentSpec, reads
from vietmer_core.spec_document import Steps, field_name, is_checkpoint, is_path

FORMAT: Final = 1
DIGITS: Final = 16
"""Of the id, in the name of a cell's folder."""
NO_PART: Final = ("name", "trackers")
RUN_FILES: Final = ("checkpoints/best.pt", "spec.yaml")
"""What another run gives to one that begins from it."""


def cell_identity(
    spec: ExperimentSpec, catalogue: Catalogue, *, data: Mapping[str, str], split: str, code: Mapping[str, Any]
) -> dict[str, Any]:
    """All that can change the scores of a cell, as plain JSON values.

    Args:
        spec: Resolved.
        catalogue: Where its components come from.
        data: The fingerprint of each split.
        split: That is scored.
        code: Versions and digests of what computes.

    Raises:
        DataError: if a file or folder that the spec names cannot be read.
    """
    unread = {modality.value for modality in set(Modality) - reads(spec, catalogue)}
    values = {name: value for name, value in spec.resolved().items() if name not in (*NO_PART, *unread)}
    files: dict[str, str] = {}
    placeless = _without_places(values, (), files)
    return {
        "format": FORMAT,
        "spec": placeless,
        "files": files,
        "data": dict(data),
        "split": split,
        "code": dict(code),
    }


def digest_of(identity: Mapping[str, Any]) -> str:
    """64 hexadecimal digits; the order of the fields does not count."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_places(value: Any, steps: Steps, files: dict[str, str]) -> Any:
    """The value without paths; the digests of what they lead to, data and cache aside, are put into `files`."""
    if isinstance(value, Mapping):
        return {name: _without_places(inner, (*steps, str(name)), files) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_places(inner, (*steps, str(number)), files) for number, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    if not _is_place(value, steps):
        return value
    if steps[0] not in ("data", "cache"):
        names = RUN_FILES if steps[0] == "initialise" else ()
        files[field_name(steps)] = _digest(Path(value).expanduser(), field_name(steps), names)
    return None


def _is_place(value: str, steps: Steps) -> bool:
    return is_path(steps) or (is_checkpoint(steps) and is_folder(value))


def with_places(own: Any, other: Any, steps: Steps = ()) -> Any:
    """A resolved spec whose paths that lead nowhere are those of another spec of the same cell."""
    if isinstance(own, Mapping) and isinstance(other, Mapping):
        return {name: with_places(value, other.get(name), (*steps, str(name))) for name, value in own.items()}
    if isinstance(own, list) and isinstance(other, list) and len(own) == len(other):
        pairs = enumerate(zip(own, other, strict=True))
        return [with_places(*pair, (*steps, str(number))) for number, pair in pairs]
    if not isinstance(own, str) or not isinstance(other, str) or not _is_place(own, steps):
        return own
    return own if Path(own).expanduser().exists() else other


def _digest(path: Path, field: str, names: tuple[str, ...]) -> str:
    """SHA-256 over the names and bytes of the files of a folder, or of those named; of a file over its bytes."""
    try:
        if path.is_file():
            return file_sha256(path)
        found = [path / name for name in names] or sorted(file for file in path.rglob("*") if file.is_file())
        if not found:
            raise DataError(f"`{field}`: `{path}` is no folder with files in it. Correct the path.")
        lines = [f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n" for file in found]
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"`{field}`: `{error.filename or path}` cannot be read: {reason}. Correct the path.") from None
    return _sha256("".join(lines))


@lru_cache(maxsize=64)
def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
