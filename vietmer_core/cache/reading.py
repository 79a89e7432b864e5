"""Entries of shards, each verified as it is read: through a map, or through the file to check many. Torch-free.

A map that reaches past the end of its file, or over a bad sector, kills the process that touches it. So the length of
the file is asked for at every read, and what looks for damage reads the file itself.
"""

import mmap
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from io import FileIO
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.cache.damage import Damage, DamageError, unreadable
from vietmer_core.cache.dtypes import STORAGE
from vietmer_core.cache.shard_format import TOO_SHORT, ShardIndex

MOST_MAPS: Final = 128
"""Shards mapped at once; each costs a file descriptor, of which a process often has 1024."""

NO_MATCH: Final = "its checksum does not match"


@final
class Maps:
    """The shards that this process has mapped, the least recently read given up first.

    An array that was read keeps its map, so it stays valid for as long as it is held, even if the file is deleted.
    """

    def __init__(self) -> None:
        self._maps: Final[OrderedDict[str, mmap.mmap]] = OrderedDict()

    def read(self, shard: ShardIndex, key: str) -> NDArray[Any]:
        """One entry `(frames, dim)`, verified, not writable.

        Raises:
            DamageError: if it is not what was written.
            FileNotFoundError: if the shard has gone.
        """
        place = shard.places[key]
        dtype = STORAGE[shard.dtype].numpy
        count = place.num_frames * shard.dim
        array: NDArray[Any] = np.empty(0, dtype)
        if count:
            mapped = self._map(shard, key)
            end = place.start + shard.size_of(place)
            if end > len(mapped) or end > mapped.size():
                raise DamageError(Damage(shard=shard.path, key=key, reason=TOO_SHORT))
            array = np.frombuffer(mapped, dtype, count, place.start)
        if not shard.matches(key, place, array.data):
            raise DamageError(Damage(shard=shard.path, key=key, reason=NO_MATCH))
        return array.reshape(place.num_frames, shard.dim)  # (frames, dim)

    def forget(self, name: str) -> None:
        """Give up the map of a shard."""
        self._maps.pop(name, None)

    def clear(self) -> None:
        """Give up all maps."""
        self._maps.clear()

    def _map(self, shard: ShardIndex, key: str) -> mmap.mmap:
        name = shard.path.name
        if name in self._maps:
            self._maps.move_to_end(name)
            return self._maps[name]
        try:
            with shard.path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise
        except ValueError:  # the file is empty
            raise DamageError(Damage(shard=shard.path, key=key, reason=TOO_SHORT)) from None
        except OSError as error:
            raise unreadable(shard.path, error, key=key) from None
        self._maps[name] = mapped
        if len(self._maps) > MOST_MAPS:
            self._maps.popitem(last=False)
        return mapped


def read_checked(shard: ShardIndex, keys: Iterable[str]) -> "Iterator[tuple[str, bytes | Damage]]":
    """Entries of a shard in the order of the file: the bytes of each, or what is wrong with it."""
    ordered = sorted(keys, key=lambda key: shard.places[key].start)
    try:
        file = shard.path.open("rb", buffering=0)
    except OSError as error:
        yield from ((key, unreadable(shard.path, error, key=key).damage) for key in ordered)
        return
    with file:
        for key in ordered:
            place = shard.places[key]
            size = shard.size_of(place)
            try:
                file.seek(place.start)
                data = _read_exactly(file, size)
            except OSError as error:
                yield key, unreadable(shard.path, error, key=key).damage
                continue
            if len(data) == size and shard.matches(key, place, data):
                yield key, data
            else:
                yield key, Damage(shard=shard.path, key=key, reason=NO_MATCH if len(data) == size else TOO_SHORT)


def _read_exactly(file: FileIO, size: int) -> bytes:
    """As many bytes as there are, up to `size`; one call of the system may give fewer."""
    data = file.read(size)
    while 0 < len(data) < size:
        more = file.read(size - len(data))
        if not more:
            break
        data += more
    return data
