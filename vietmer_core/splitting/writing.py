"""Writing splits as folders that a spec can name; whole or not at all. Torch-free."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from vietmer_core.data.manifest import Manifest
from vietmer_core.errors import DataError
from vietmer_core.splitting.document import describe_plan, manifest_name
from vietmer_core.splitting.plan import SplitPlan

DOCUMENT: Final = "split.json"
PROTOCOL_FIELD: Final = "split_protocol"
UNFINISHED: Final = ".unfinished"


def refuse_folder(folder: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        DataError: if it is a file, holds something or cannot be read.
    """
    try:
        held = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise DataError(f"`{folder}` is no folder. Name a new one with `--to`.") from None
    except OSError as error:
        raise DataError(f"`{folder}` cannot be read: {error.strerror}.") from None
    if held == [UNFINISHED]:
        raise DataError(f"`{folder}` holds splits whose writing was cut short. Remove it, or name another with `--to`.")
    if held:
        raise DataError(
            f"`{folder}` holds `{held[0]}` already, and nothing is overwritten. Remove the folder, or name another "
            "with `--to`."
        )


def write_splits(plan: SplitPlan, folder: Path) -> dict[str, Any]:
    """Write the manifests of every fold and `split.json`; returns what stands in the latter.

    The rows of a manifest are in the order of their ids. A relative `wav_path` is written anew, relative to the
    manifest; an absolute one stays.

    Raises:
        DataError: if the folder holds anything or cannot be written, or a manifest has changed.
    """
    with _staged(folder) as staging:
        written = {}
        for fold in plan.folds:
            for number, split in enumerate(plan.settings.splits):
                name = manifest_name(fold.name, split)
                home = Path(os.path.realpath((folder / name).parent))
                positions = plan.table.positions[np.flatnonzero(fold.splits == number)]
                lines = _lines(plan.manifest, positions.tolist(), home=str(home), protocol=plan.protocol)
                written[name] = _write(staging / name, lines)
        document = describe_plan(plan, written=written)
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        _write(staging / DOCUMENT, iter([text.encode()]))
    return document


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A folder below the one to be written, whose content moves up at the end; `split.json` comes last."""
    refuse_folder(folder)
    existed = folder.exists()
    staging = folder / UNFINISHED
    try:
        staging.mkdir(parents=True)
        yield staging
        for path in sorted(staging.iterdir(), key=lambda path: (path.name == DOCUMENT, path.name)):
            path.replace(folder / path.name)
        staging.rmdir()
    except OSError as error:
        raise DataError(f"`{folder}` cannot be written: {error.strerror or error}.") from None
    finally:
        if staging.exists():
            shutil.rmtree(staging, ignore_errors=True)
            if not existed:
                folder.rmdir()


def _write(path: Path, lines: Iterator[bytes]) -> str:
    """Write lines to a new file; its SHA-256."""
    digest = hashlib.sha256()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        for line in lines:
            digest.update(line)
            stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()


def _lines(manifest: Manifest, positions: list[int], *, home: str, protocol: str) -> Iterator[bytes]:
    for folder, fields in manifest.written_rows(positions):
        yield (
            json.dumps(_moved(fields, folder=folder, home=home, protocol=protocol), ensure_ascii=False) + "\n"
        ).encode()


def _moved(fields: Mapping[str, Any], *, folder: str, home: str, protocol: str) -> dict[str, Any]:
    written = fields["wav_path"]
    moved = written if written is None else _path_from(home, folder=folder, wav_path=written)
    return {**fields, "wav_path": moved, PROTOCOL_FIELD: protocol}


def _path_from(home: str, *, folder: str, wav_path: str) -> str:
    """`wav_path`, relative to `folder`, as it reads from `home`, which is free of links; an absolute one as it is.

    A path back over a link leads elsewhere than it reads, so folders are followed to where they are.
    """
    if os.path.isabs(wav_path):  # noqa: PTH117  # once for every row
        return wav_path
    head, tail = os.path.split(wav_path)
    real = _real_folder(os.path.join(folder, head))  # noqa: PTH118  # once for every row
    try:
        return os.path.relpath(os.path.join(real, tail), home).replace(os.sep, "/")  # noqa: PTH118  # as above
    except ValueError:  # another drive, to which no relative path leads
        return os.path.join(real, tail)  # noqa: PTH118  # as above


@lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)
