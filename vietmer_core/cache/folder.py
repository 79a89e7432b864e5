"""The cache folder: where it is, whether it is one, and how much fits into it. Torch-free."""

import errno
import os
import shutil
from pathlib import Path
from typing import Final

from vietmer_core.cache.dtypes import Dtype
from vietmer_core.cache.whole_files import is_temporary, write_whole
from vietmer_core.cache.wording import format_bytes
from vietmer_core.errors import CacheError

VARIABLE: Final = "VIETMER_CACHE"
TAG: Final = "CACHEDIR.TAG"
"""The file by which backup programs know a cache, and we know ours."""
OURS: Final = "This folder is a feature cache of VietMER."
_TAG_TEXT: Final = f"""Signature: 8a477f597d28d172789f06886806bc55
# {OURS}
# It may be deleted while no run uses it: what is missing is computed again.
"""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def cache_folder(given: Path | None = None) -> Path:
    """The folder that is named, else `$VIETMER_CACHE`, else `vietmer/features` in the user's cache folder.

    Raises:
        CacheError: if none is named and the user has no home folder.
    """
    named = str(given) if given is not None else os.environ.get(VARIABLE, "")
    try:
        if named:
            return Path(named).expanduser().absolute()
        parent = os.environ.get("XDG_CACHE_HOME", "")
        return (Path(parent) if Path(parent).is_absolute() else Path.home() / ".cache") / "vietmer" / "features"
    except RuntimeError:
        raise CacheError(f"there is no home folder to keep the feature cache in. Set `{VARIABLE}`.") from None


def free_bytes(root: Path) -> int:
    """Bytes that are free where a folder is or will be; a quota of the user is not seen.

    Raises:
        CacheError: if that cannot be known.
    """
    try:
        return shutil.disk_usage(_nearest(root)).free
    except OSError as error:
        raise CacheError(f"{root}: {error.strerror or error}. Name another `cache.folder`, or `--cache`.") from None


def make_folder(root: Path) -> None:
    """Make a cache folder, unless it is one.

    Raises:
        CacheError: if it cannot be made, or holds something else.
    """
    if _is_ours(root):
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(path.name != TAG and not is_temporary(path.name) for path in root.iterdir()) and not _is_ours(root):
            raise CacheError(_not_ours(root))
        write_whole(root / TAG, [_TAG_TEXT.encode()])
    except OSError as error:
        raise cannot_write(root, error) from None


def is_cache(root: Path) -> bool:
    """Whether a folder is a cache; false where it is absent or empty.

    Raises:
        CacheError: if it holds something else, or is not a folder, or cannot be read.
    """
    if _is_ours(root):
        return True
    try:
        if next(root.iterdir(), None) is None:
            return False
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CacheError(f"{root}: cannot be read as a feature cache: {error.strerror or error}.") from None
    raise CacheError(_not_ours(root))


def cannot_write(path: Path, error: OSError, *, kept: str = "", dtype: Dtype | None = None) -> CacheError:
    """What an error of writing means to the user.

    Args:
        path: What could not be written.
        error: What the system says.
        kept: A sentence on what is not lost.
        dtype: Of the space, to say whether a smaller one helps.
    """
    said = f"{path}: the feature cache cannot be written: {error.strerror or error}."
    if error.errno not in _FULL:
        remedy = "Name a `cache.folder` that you may write; for a run that is there already, `--cache FOLDER`."
        return CacheError(" ".join(part for part in (said, kept, remedy) if part))
    try:
        free = f"{format_bytes(free_bytes(path))} are free there."
    except CacheError:
        free = ""
    smaller = " set `cache.dtype: fp16`, which takes half the space," if dtype == "fp32" else ""
    advice = f"Free some space,{smaller} or name another `cache.folder`, and start again: what is kept is not redone."
    return CacheError(" ".join(part for part in (said, kept, free, advice) if part))


def _is_ours(root: Path) -> bool:
    try:
        return OURS in (root / TAG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _not_ours(root: Path) -> str:
    return f"{root}: is not a feature cache, since it holds no `{TAG}` of ours. Name a new or an empty folder."


def _nearest(path: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    for folder in (path, *path.absolute().parents):
        if folder.is_dir():
            return folder
    return path
