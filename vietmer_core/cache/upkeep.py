"""The files of a space beside its shards: marks, locks, and what is left of writers that died. Torch-free."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from vietmer_core.cache.contents import DAMAGED_SUFFIX, Contents, is_set_aside, is_shard_name
from vietmer_core.cache.folder import cannot_write
from vietmer_core.cache.identity import SPACE_FILE, SpaceIdentity, read_identity
from vietmer_core.cache.locks import HeldLock, lock_in_turn, try_lock
from vietmer_core.cache.whole_files import is_leftover, is_temporary
from vietmer_core.errors import CacheError

USED_FILE: Final = "used"
"""Held shared by whoever has the space open; its time is that of the last use."""
FILLING_FILE: Final = "filling.lock"
"""Held by the one who writes."""
_NOT_WRITABLE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT})
_PATIENCE_SECONDS: Final = 60.0


def make_space(root: Path, identity: SpaceIdentity) -> HeldLock | None:
    """Make a space, unless it is there, and mark it as in use; None where the mark cannot be set.

    Raises:
        CacheError: if the space can be neither found nor made.
    """
    folder = root / identity.folder
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            folder.mkdir(exist_ok=True)
            found = read_identity(folder)
            if found is None:
                identity.write(folder)
            elif found.digest != identity.digest:
                raise CacheError(f"{folder}: belongs to another encoder, by chance. Name another `cache.folder`.")
            lock = try_lock(folder / USED_FILE, shared=True)
        except FileNotFoundError:
            lock = None  # it is being removed at this moment
        except OSError as error:
            _check_readable(folder, error)
            return None
        if lock is not None:
            os.utime(lock.descriptor)
            return lock
        if time.monotonic() > until:
            raise CacheError(f"{folder}: is being removed by another process. Start again when that is done.")
        time.sleep(0.02)


def mark_used(folder: Path) -> HeldLock | None:
    """Mark a space that is there as in use; None where that cannot be done, as on a disk that is only read."""
    with contextlib.suppress(OSError):
        lock = try_lock(folder / USED_FILE, shared=True)
        if lock is not None:
            os.utime(lock.descriptor)
        return lock
    return None


def lock_for_filling(folder: Path, *, on_wait: Callable[[str], None] | None) -> HeldLock:
    """Lock a space for the one who writes.

    Args:
        folder: Of the space.
        on_wait: Told, in one sentence, who writes now.

    Raises:
        CacheError: if the folder cannot be written.
    """

    def tell(holder: str) -> None:
        if on_wait is not None:
            on_wait(f"{folder.name} of the feature cache is being filled by {holder}; waiting.")

    try:
        return lock_in_turn(folder / FILLING_FILE, on_wait=tell)
    except OSError as error:
        raise cannot_write(folder, error) from None


def is_held(path: Path) -> bool:
    """Whether another holds a lock at this moment."""
    try:
        lock = try_lock(path, make=False)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # who may not lock it must not take it for free
    if lock is None:
        return True
    lock.release()
    return False


def set_aside(contents: Contents) -> Sequence[Path]:
    """Rename the shards whose headers are damaged; the caller has the space locked for filling."""
    moved = []
    for damage in contents.broken:
        if damage.lasting:
            with contextlib.suppress(OSError):
                damage.shard.rename(damage.shard.with_name(damage.shard.name + DAMAGED_SUFFIX))
                moved.append(damage.shard)
    return moved


def leftovers(folder: Path) -> Sequence[Path]:
    """Files of a folder that were being written by processes that are dead."""
    return [path for path in files_of(folder) if is_leftover(path)]


def remove_leftovers(folder: Path) -> None:
    """Remove them; what cannot be removed now stays for the next time."""
    for path in leftovers(folder):
        with contextlib.suppress(OSError):
            path.unlink()


def damaged_files(folder: Path) -> Sequence[Path]:
    """Shards that were set aside."""
    return [path for path in files_of(folder) if is_set_aside(path.name)]


def foreign_files(folder: Path) -> Sequence[Path]:
    """What lies in a space and was not put there by the cache."""
    return [path for path in files_of(folder) if path.is_symlink() or path.is_dir() or not _is_ours(path.name)]


def _is_ours(name: str) -> bool:
    known = name in {SPACE_FILE, USED_FILE, FILLING_FILE}
    return known or is_shard_name(name) or is_set_aside(name) or is_temporary(name)


def files_of(folder: Path) -> Sequence[Path]:
    """Everything in a folder, sorted; nothing where it has gone."""
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _check_readable(folder: Path, error: OSError) -> None:
    """A space that can be read but not written is used without a mark; one that is not there cannot be.

    Raises:
        CacheError: if there is no such space.
    """
    if error.errno in _NOT_WRITABLE and (folder / SPACE_FILE).is_file():
        return
    raise cannot_write(folder, error) from None
