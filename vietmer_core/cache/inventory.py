"""What a cache folder holds, and whether it is what was written. Torch-free."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from vietmer_core.cache.contents import Contents
from vietmer_core.cache.damage import Damage
from vietmer_core.cache.identity import SPACE_FILE, SpaceIdentity, digits_of, is_space_name, read_identity
from vietmer_core.cache.locks import read_holder
from vietmer_core.cache.reading import read_checked
from vietmer_core.cache.upkeep import FILLING_FILE, USED_FILE, damaged_files, files_of, is_held, leftovers
from vietmer_core.errors import CacheError

Progress = Callable[[int], None]
"""Told how many bytes were read."""


@attrs.frozen(kw_only=True)
class SpaceSummary:
    """A space as its headers and files describe it.

    Attributes:
        path: Its folder.
        identity: What it holds; None where that file is damaged.
        num_entries: Utterances.
        num_frames: Of all of them.
        num_shards: Shards whose headers are what was written.
        num_bytes: Of all its files.
        last_used: Seconds since the epoch.
        in_use: Whether a process has it open now.
        filled_by: Who fills it now; empty where nobody does.
        num_damaged: Shards whose headers are damaged, those set aside before included.
        num_leftovers: Files that dead writers left.
    """

    path: Path
    identity: SpaceIdentity | None
    num_entries: int
    num_frames: int
    num_shards: int
    num_bytes: int
    last_used: float
    in_use: bool
    filled_by: str
    num_damaged: int
    num_leftovers: int

    @property
    def seconds(self) -> float | None:
        """Of audio, where the identity says how many frames a second has."""
        rate = self.identity.look_up("frames_per_second") if self.identity else None
        return self.num_frames / rate if isinstance(rate, int | float) and rate > 0 else None

    @property
    def title(self) -> str:
        """What it holds, for a reader: `whisper openai/whisper-tiny, layers last, fp16`."""
        if self.identity is None:
            return f"{self.path.name} ({SPACE_FILE} is absent or damaged)"
        checkpoint, layers = self.identity.look_up("checkpoint"), self.identity.look_up("layers")
        name = f"{self.identity.kind} {checkpoint}" if isinstance(checkpoint, str) else self.identity.kind
        return ", ".join([name, *([] if layers is None else [f"layers {layers}"]), self.identity.dtype])

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        held = self.identity
        about = {"kind": held.kind, "dim": held.dim, "dtype": held.dtype, "created": held.created} if held else {}
        names = ("num_entries", "num_frames", "num_shards", "num_bytes", "last_used", "in_use", "filled_by")
        counts = {name: getattr(self, name) for name in (*names, "num_damaged", "num_leftovers")}
        identity = dict(held.fields) if held else None
        return {"path": str(self.path), **about, "seconds": self.seconds, **counts, "identity": identity}


@attrs.frozen(kw_only=True)
class SpaceCheck:
    """What reading all of a space found.

    Attributes:
        summary: The space.
        damage: Shards and entries that are not what was written.
        num_lost: Entries without a good copy; those of damaged headers cannot be counted.
        num_bytes: Read.
    """

    summary: SpaceSummary
    damage: Sequence[Damage]
    num_lost: int
    num_bytes: int

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        found = [{"shard": str(it.shard), "key": it.key, "reason": it.reason} for it in self.damage]
        counts = {"num_entries": self.summary.num_entries, "num_lost": self.num_lost, "num_bytes": self.num_bytes}
        return {"path": str(self.summary.path), **counts, "damage": found}


def find_spaces(root: Path) -> Sequence[Path]:
    """Folders of the spaces in a cache folder.

    Raises:
        CacheError: if it cannot be read.
    """
    try:
        folders = [path for path in root.iterdir() if is_space_name(path.name) and not path.is_symlink()]
    except OSError as error:
        raise CacheError(f"{root}: cannot be read: {error.strerror or error}.") from None
    return sorted(path for path in folders if path.is_dir())


def contents_of(folder: Path) -> Contents:
    """The index of a space, known by the name of its folder alone.

    Raises:
        CacheError: if it cannot be read.
    """
    contents = Contents(folder, space=digits_of(folder.name))
    contents.refresh()
    return contents


def summarise(folder: Path, contents: Contents | None = None) -> SpaceSummary:
    """Describe a space from headers alone; `contents` where they were read already.

    Raises:
        CacheError: if it cannot be read.
    """
    contents = contents or contents_of(folder)
    frames = 0
    for key in contents.keys():  # noqa: SIM118  # no mapping
        shard = contents.find(key)
        assert shard is not None
        frames += shard.places[key].num_frames
    filling = is_held(folder / FILLING_FILE)
    return SpaceSummary(
        path=folder,
        identity=read_identity(folder),
        num_entries=len(contents),
        num_frames=frames,
        num_shards=len(contents.shards),
        num_bytes=size_on_disk(folder),
        last_used=_last_used(folder),
        in_use=is_held(folder / USED_FILE),
        filled_by=read_holder(folder / FILLING_FILE) if filling else "",
        num_damaged=len(contents.broken) + len(damaged_files(folder)),
        num_leftovers=len(leftovers(folder)),
    )


def verify(folder: Path, *, progress: Progress | None = None) -> SpaceCheck:
    """Read every entry of a space.

    Raises:
        CacheError: if its folder cannot be read.
    """
    contents = contents_of(folder)
    summary = summarise(folder, contents)
    num_bytes = 0
    for shard in contents.shards:
        for key, found in read_checked(shard, shard.places):
            size = shard.size_of(shard.places[key])
            num_bytes += size
            if isinstance(found, Damage):
                contents.disbelieve(found)
            if progress is not None:
                progress(size)
    damage = [found for found in contents.damage if found.shard.exists()]  # a shard may be removed meanwhile
    if summary.identity is None and contents.shards:  # without a shard, it was not finished
        damage.append(Damage(shard=folder / SPACE_FILE, reason="it is absent or not what was written"))
    lost = {found.key for found in damage if found.key is not None and contents.find(found.key) is None}
    return SpaceCheck(summary=summary, damage=damage, num_lost=len(lost), num_bytes=num_bytes)


def size_on_disk(folder: Path) -> int:
    """Bytes of all files of a folder."""
    total = 0
    for path in files_of(folder):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total


def _last_used(folder: Path) -> float:
    for path in (folder / USED_FILE, folder / SPACE_FILE, folder):
        if path.exists():
            return path.stat().st_mtime
    return 0.0
