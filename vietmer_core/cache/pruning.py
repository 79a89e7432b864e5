"""Removing from a cache folder: only what the cache put there, and nothing that is in use. Torch-free."""

import contextlib
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import attrs
import numpy as np

from vietmer_core.cache.contents import is_shard_name
from vietmer_core.cache.damage import Damage
from vietmer_core.cache.dtypes import STORAGE
from vietmer_core.cache.folder import cannot_write
from vietmer_core.cache.identity import is_space_name
from vietmer_core.cache.inventory import SpaceSummary, contents_of, find_spaces, size_on_disk, summarise, verify
from vietmer_core.cache.locks import HeldLock, try_lock
from vietmer_core.cache.reading import read_checked
from vietmer_core.cache.shard_format import NewEntry, ShardIndex
from vietmer_core.cache.upkeep import FILLING_FILE, USED_FILE, damaged_files, foreign_files, leftovers
from vietmer_core.cache.writer import Target

_REMOVED: Final = ".removed-"
"""Before the name of a space that is being removed; some digits follow it."""
_REMAINS: Final = re.compile(rf"{re.escape(_REMOVED)}(?P<space>.+)-[0-9a-f]{{8}}")
_DAY_SECONDS: Final = 86_400


@attrs.frozen(kw_only=True)
class Item:
    """One thing to remove.

    Attributes:
        path: A space, a file, or what is left of a space.
        reason: Why, a clause.
        num_bytes: That become free.
        action: How; `mend` removes the damaged parts of a space.
    """

    path: Path
    reason: str
    num_bytes: int
    action: Literal["space", "mend", "file", "remains"]


@attrs.frozen(kw_only=True)
class Wanted:
    """What the user asks to remove.

    Attributes:
        older_than_days: Spaces not used for so long.
        to_bytes: The least recently used spaces, until so much is left.
        damaged: Damaged shards and entries, and what dead writers left.
        everything: All spaces.
    """

    older_than_days: float | None = None
    to_bytes: int | None = None
    damaged: bool = False
    everything: bool = False


@attrs.frozen(kw_only=True)
class Plan:
    """What would be removed, and sentences on what was asked for and is kept."""

    items: Sequence[Item]
    kept: Sequence[str]


def plan(root: Path, wanted: Wanted) -> Plan:
    """Choose what to remove; nothing is changed.

    Raises:
        CacheError: if the folder cannot be read.
    """
    summaries = sorted(map(summarise, find_spaces(root)), key=lambda summary: (summary.last_used, summary.path))
    chosen, kept = _choose(summaries, wanted)
    items = [
        Item(path=summary.path, reason=f"{summary.title}: {why}", num_bytes=summary.num_bytes, action="space")
        for summary, why in chosen
    ]
    items += [
        Item(path=path, reason="left of a removal that was cut short", num_bytes=size_on_disk(path), action="remains")
        for path in sorted(root.iterdir())
        if _is_remains(path)
    ]
    if wanted.damaged:
        going = {summary.path for summary, _ in chosen}
        items += _file_items(root)
        for summary in summaries:
            if summary.path not in going:
                items += _damaged_items(summary.path)
    return Plan(items=items, kept=kept)


def carry_out(item: Item) -> str:
    """Remove one thing; why it was kept, a sentence, or "" where it is gone.

    Raises:
        CacheError: if the system refuses.
    """
    try:
        if item.action == "space":
            return _remove_space(item.path)
        if item.action == "mend":
            return _mend(item.path)
        if item.action == "remains":
            return _remove_files(item.path)
        item.path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(item.path, error) from None
    return ""


def _choose(summaries: Sequence[SpaceSummary], wanted: Wanted) -> tuple[list[tuple[SpaceSummary, str]], list[str]]:
    """Spaces to remove with the reason, the least recently used first; sentences on those that are kept."""
    chosen: list[tuple[SpaceSummary, str]] = []
    kept: list[str] = []
    left = sum(summary.num_bytes for summary in summaries)
    for summary in summaries:
        days = (time.time() - summary.last_used) / _DAY_SECONDS
        old = wanted.older_than_days is not None and days > wanted.older_than_days
        if not (wanted.everything or old or (wanted.to_bytes is not None and left > wanted.to_bytes)):
            continue
        if summary.in_use:
            kept.append(_in_use(summary.path))
        elif foreign := foreign_files(summary.path):
            kept.append(_foreign(summary.path, foreign[0]))
        else:
            chosen.append((summary, _since(days)))
            left -= summary.num_bytes
    return chosen, kept


def _since(days: float) -> str:
    if days < 1:
        return "last used today"
    return f"last used {days:.0f} day{'s' if days >= 1.5 else ''} ago"


def _in_use(path: Path) -> str:
    return f"{path.name} is kept: a process has it in use."


def _foreign(path: Path, file: Path) -> str:
    return f"{path.name} is kept: it holds `{file.name}`, which is not of the cache. Move that away."


def _file_items(root: Path) -> list[Item]:
    folders = [root, *find_spaces(root)]
    aside = [(path, "a damaged shard, set aside") for folder in folders[1:] for path in damaged_files(folder)]
    dead = [(path, "left of a writer that died") for folder in folders for path in leftovers(folder)]
    return [Item(path=path, reason=why, num_bytes=path.lstat().st_size, action="file") for path, why in (*aside, *dead)]


def _damaged_items(folder: Path) -> list[Item]:
    """The damaged parts of a space, as one item."""
    found = [damage for damage in verify(folder).damage if damage.lasting and is_shard_name(damage.shard.name)]
    broken = {damage.shard for damage in contents_of(folder).broken if damage.lasting}
    partly = {damage.shard for damage in found} - broken
    reasons = [
        f"{len(broken)} of its shards cannot be used" if broken else "",
        f"damaged parts in {len(partly)} of its shards, whose good entries are kept" if partly else "",
    ]
    if not broken and not partly:
        return []
    size = sum(path.stat().st_size for path in broken if path.exists())
    return [Item(path=folder, reason="; ".join(filter(None, reasons)), num_bytes=size, action="mend")]


def _is_remains(path: Path) -> bool:
    match = _REMAINS.fullmatch(path.name)
    return match is not None and is_space_name(match["space"]) and path.is_dir() and not path.is_symlink()


def _remove_space(folder: Path) -> str:
    """Lock, rename, delete: whoever opens the space from now on makes a new one."""
    if not folder.is_dir() or not is_space_name(folder.name):
        return ""
    if foreign := foreign_files(folder):
        return _foreign(folder, foreign[0])
    locks: list[HeldLock] = []
    try:
        for name in (USED_FILE, FILLING_FILE):
            lock = try_lock(folder / name)
            if lock is None:
                return _in_use(folder)
            locks.append(lock)
        removed = folder.with_name(f"{_REMOVED}{folder.name}-{secrets.token_hex(4)}")
        folder.rename(removed)
    finally:
        for lock in locks:
            lock.release()
    return _remove_files(removed)


def _remove_files(folder: Path) -> str:
    """Delete the files of a removed space; a stranger's file, and so the folder, stays."""
    strange = set(foreign_files(folder))
    for path in folder.iterdir():
        if path not in strange:
            path.unlink(missing_ok=True)
    if strange:
        return _foreign(folder, min(strange))
    folder.rmdir()
    return ""


def _mend(folder: Path) -> str:
    """Write the good entries of damaged shards anew and remove those shards."""
    lock = try_lock(folder / FILLING_FILE)
    if lock is None:
        return f"{folder.name} is left as it is: a process is filling it."
    try:
        contents = contents_of(folder)
        for damage in contents.broken:
            if damage.lasting:
                with contextlib.suppress(FileNotFoundError):
                    damage.shard.unlink()
        for shard in contents.shards:
            _mend_shard(shard)
    finally:
        lock.release()
    return ""


def _mend_shard(shard: ShardIndex) -> None:
    dtype = STORAGE[shard.dtype].numpy
    good: list[NewEntry] = []
    damage = list(shard.damage)
    for key, found in read_checked(shard, shard.places):
        if isinstance(found, Damage):
            damage.append(found)
        else:
            array = np.frombuffer(found, dtype).reshape(-1, shard.dim)  # (frames, dim)
            good.append(NewEntry(key, array, shard.places[key].checksum))
    if not damage or not all(found.lasting for found in damage):
        return
    if good:
        Target(folder=shard.path.parent, space=shard.space, dim=shard.dim, dtype=shard.dtype).write(good)
    shard.path.unlink()
