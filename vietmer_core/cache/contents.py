"""Which entries a space holds, and in which of its shards. Torch-free."""

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

from vietmer_core.cache.damage import Damage, DamageError
from vietmer_core.cache.shard_format import SUFFIX, ShardIndex, read_index
from vietmer_core.errors import CacheError

DAMAGED_SUFFIX: Final = ".damaged"
_SHARD: Final = re.compile(rf"shard-[0-9a-f]{{16}}{re.escape(SUFFIX)}")


def new_shard_name() -> str:
    """A name that no other shard has."""
    return f"shard-{secrets.token_hex(8)}{SUFFIX}"


def is_shard_name(name: str) -> bool:
    """Whether a file has the name of a shard."""
    return _SHARD.fullmatch(name) is not None


def is_set_aside(name: str) -> bool:
    """Whether a file is a shard that was found damaged and renamed."""
    return name.endswith(DAMAGED_SUFFIX) and is_shard_name(name.removesuffix(DAMAGED_SUFFIX))


@final
class Contents:
    """The index of a space, from the headers of its shards; each header is read once.

    Args:
        folder: Of the space.
        space: Its digest, or the first digits of it.
    """

    def __init__(self, folder: Path, *, space: str) -> None:
        self._folder: Final = folder
        self._space: Final = space
        self._shards: dict[str, ShardIndex] = {}
        self._broken: dict[str, Damage] = {}
        self._bad: Final[set[tuple[str, str]]] = set()
        self._holder: dict[str, ShardIndex] = {}
        self._others: dict[str, list[ShardIndex]] = {}
        self._damage: Final[dict[Damage, None]] = {}

    def __len__(self) -> int:
        return len(self._holder)

    @property
    def shards(self) -> Sequence[ShardIndex]:
        """The shards whose headers are what was written."""
        return tuple(self._shards.values())

    @property
    def broken(self) -> Sequence[Damage]:
        """The shards whose headers are not."""
        return tuple(self._broken.values())

    @property
    def damage(self) -> Sequence[Damage]:
        """All damage found so far, mended or not."""
        return tuple(self._damage)

    def find(self, key: str) -> ShardIndex | None:
        """The shard to read an entry from; None if there is none that is believed."""
        return self._holder.get(key)

    def was_damaged(self, key: str) -> bool:
        """Whether an entry that is absent now was found damaged before."""
        return any(damage.key == key for damage in self._damage)

    def keys(self) -> Sequence[str]:
        """The entries that are believed."""
        return tuple(self._holder)

    def refresh(self) -> Sequence[str]:
        """See the shards written since, and those that have gone; the names of the latter.

        Raises:
            CacheError: if the folder cannot be read.
        """
        try:
            names = {path.name for path in self._folder.iterdir() if is_shard_name(path.name)}
        except FileNotFoundError:
            names = set()
        except OSError as error:
            raise CacheError(f"{self._folder}: cannot be read: {error.strerror or error}.") from None
        gone = [name for name in self._shards if name not in names]
        self._broken = {name: it for name, it in self._broken.items() if name in names and it.lasting}
        if gone:
            self._shards = {name: shard for name, shard in self._shards.items() if name in names}
            self._holder, self._others = {}, {}
            for shard in self._shards.values():
                self._index(shard)
        for name in sorted(names - self._shards.keys() - self._broken.keys()):
            self._read(name)
        return gone

    def add(self, shard: ShardIndex) -> None:
        """A shard that has just been written or read."""
        self._shards[shard.path.name] = shard
        self._damage.update(dict.fromkeys(shard.damage))
        self._index(shard)

    def disbelieve(self, damage: Damage) -> None:
        """Count an entry of a shard as absent; a copy of it in another shard is found from now on."""
        assert damage.key is not None
        self._damage[damage] = None
        self._bad.add((damage.shard.name, damage.key))
        others = [shard for shard in self._others.pop(damage.key, []) if shard.path != damage.shard]
        holder = self._holder.get(damage.key)
        if holder is not None and holder.path == damage.shard:
            del self._holder[damage.key]
            if others:
                self._holder[damage.key] = others.pop()
        if others:
            self._others[damage.key] = others

    def _read(self, name: str) -> None:
        try:
            self.add(read_index(self._folder / name, space=self._space))
        except DamageError as error:
            self._broken[name] = error.damage
            self._damage[error.damage] = None
        except FileNotFoundError:
            return  # removed since the folder was listed

    def _index(self, shard: ShardIndex) -> None:
        name = shard.path.name
        for key in shard.places:
            if self._bad and (name, key) in self._bad:
                continue
            if key in self._holder:
                self._others.setdefault(key, []).append(shard)
            else:
                self._holder[key] = shard
