"""A shard: one `.safetensors` file that proves itself. Torch-free.

Beside what the format asks for, the header's `__metadata__` holds

header_crc32   of the whole header, its length included, with these eight digits as zeros
format         which version of this layout
space, shard   the digest of the space and the name of the file, so that a file in another's place is noticed
checksums      of each entry in the order of its data: CRC-32 of space, key, frames and bytes

The header comes first and says how long the file is, so one small read indexes a shard and tells whether it was cut.
"""

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.cache.damage import Damage, DamageError, unreadable
from vietmer_core.cache.dtypes import STORAGE, Dtype

FORMAT: Final = "vietmer-features-1"
SUFFIX: Final = ".safetensors"
TOO_SHORT: Final = "the file ends before it"
MOST_HEADER_BYTES: Final = 100_000_000
"""The format's own limit."""

_OPENING: Final = b'{"__metadata__":{"header_crc32":"'
_NO_CHECKSUM: Final = b"00000000"
_LENGTH_BYTES: Final = 8
_ALIGNMENT: Final = 8


class Place(NamedTuple):
    """Where an entry lies: bytes from the start of the file, frames, CRC-32."""

    start: int
    num_frames: int
    checksum: int


@final
class Places(Mapping[str, Place]):
    """The places of a shard's entries, compact: three arrays rather than an object an entry.

    Args:
        keys: Of the entries.
        starts: Of each `(entries,)`.
        num_frames: Of each `(entries,)`.
        checksums: Of each `(entries,)`.
    """

    def __init__(
        self, keys: Sequence[str], *, starts: NDArray[np.int64], num_frames: NDArray[np.int64], checksums: NDArray[Any]
    ) -> None:
        self._rows: Final = {key: row for row, key in enumerate(keys)}
        self._starts: Final = starts
        self._num_frames: Final = num_frames
        self._checksums: Final = checksums

    def __getitem__(self, key: str) -> Place:
        row = self._rows[key]
        return Place(self._starts.item(row), self._num_frames.item(row), self._checksums.item(row))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def within(self, num_bytes: int, *, row_bytes: int) -> "Places":
        """Those that lie within the first bytes of the file, where a frame has so many."""
        whole = self._starts + self._num_frames * row_bytes <= num_bytes
        keys = [key for key, there in zip(self._rows, whole.tolist(), strict=True) if there]
        return Places(
            keys,
            starts=self._starts[whole],
            num_frames=self._num_frames[whole],
            checksums=self._checksums[whole],
        )


@attrs.frozen(kw_only=True, eq=False)
class ShardIndex:
    """What the header of a shard says.

    Attributes:
        path: The file.
        space: Digest of its space.
        dim: Width of every entry.
        dtype: Of every entry.
        places: Of the entries that lie within the file.
        num_bytes: Of the file.
        damage: Entries that lie past its end, or bytes that should not be there.
    """

    path: Path
    space: str
    dim: int
    dtype: Dtype
    places: Places
    num_bytes: int
    damage: Sequence[Damage]

    def size_of(self, place: Place) -> int:
        """Bytes of an entry."""
        return place.num_frames * self.dim * STORAGE[self.dtype].numpy.itemsize

    def matches(self, key: str, place: Place, data: bytes | memoryview) -> bool:
        """Whether data are what was written under a key."""
        return entry_checksum(data, space=self.space, key=key, num_frames=place.num_frames) == place.checksum


class NewEntry(NamedTuple):
    """An entry to write: `(frames, dim)` in its stored dtype, contiguous."""

    key: str
    array: NDArray[Any]
    checksum: int


def entry_checksum(data: bytes | memoryview, *, space: str, key: str, num_frames: int) -> int:
    """CRC-32 of an entry; `space` stands for width and dtype, which its digest covers."""
    return zlib.crc32(data, zlib.crc32(f"{space}/{key}/{num_frames}/".encode()))


def encode_header(entries: Sequence[NewEntry], *, space: str, shard: str, dim: int, dtype: Dtype) -> bytes:
    """The bytes of a shard before its data."""
    metadata = {
        "header_crc32": _NO_CHECKSUM.decode(),
        "format": FORMAT,
        "space": space,
        "shard": shard,
        "dim": str(dim),
        "dtype": dtype,
        "checksums": "".join(f"{entry.checksum:08x}" for entry in entries),
    }
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for entry in entries:
        start, end = end, end + entry.array.nbytes
        header[entry.key] = {
            "dtype": STORAGE[dtype].code,
            "shape": [len(entry.array), dim],
            "data_offsets": [start, end],
        }
    body = json.dumps(header, separators=(",", ":")).encode()
    body += b" " * (-len(body) % _ALIGNMENT)
    raw = len(body).to_bytes(_LENGTH_BYTES, "little") + body
    place = _LENGTH_BYTES + len(_OPENING)
    checksum = f"{zlib.crc32(raw):08x}".encode()
    return raw[:place] + checksum + raw[place + len(checksum) :]


def read_index(path: Path, *, space: str) -> ShardIndex:
    """Index a shard from its header.

    Args:
        path: The file.
        space: Digest of the space it must belong to, or the first digits of it.

    Raises:
        DamageError: if the header is not what was written, or is that of another file.
        FileNotFoundError: if it is not there.
    """
    try:
        with path.open("rb") as file:
            num_bytes = os.fstat(file.fileno()).st_size
            length = file.read(_LENGTH_BYTES)
            num_header = int.from_bytes(length, "little")
            if num_header > min(MOST_HEADER_BYTES, num_bytes - _LENGTH_BYTES):
                raise _damage(path, "it is cut short, or the length of its header is not what was written")
            raw = length + file.read(num_header)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None
    return _parse(raw, path=path, space=space, num_bytes=num_bytes)


def _damage(path: Path, reason: str) -> DamageError:
    return DamageError(Damage(shard=path, reason=reason))


def _parse(raw: bytes, *, path: Path, space: str, num_bytes: int) -> ShardIndex:
    begin = _LENGTH_BYTES + len(_OPENING)
    stated = raw[begin : begin + len(_NO_CHECKSUM)]
    plain = raw[:begin] + _NO_CHECKSUM + raw[begin + len(_NO_CHECKSUM) :]
    if not plain[_LENGTH_BYTES:].startswith(_OPENING) or stated != f"{zlib.crc32(plain):08x}".encode():
        raise _damage(path, "the checksum of its header does not match")
    try:
        header = json.loads(plain[_LENGTH_BYTES:])
        metadata = header.pop("__metadata__")
        if metadata["format"] != FORMAT:
            raise _damage(path, f"it has the format `{metadata['format']}`, and this version reads `{FORMAT}`")
        if not metadata["space"].startswith(space):
            raise _damage(path, "it belongs to another space")
        if metadata["shard"] != path.name:
            raise _damage(path, f"it was written as {metadata['shard']}")
        places, num_data = _places(header, metadata, first=len(raw))
        return _indexed(path, metadata, places, num_bytes=num_bytes, expected_bytes=len(raw) + num_data)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _damage(path, f"its header cannot be read ({error!r})") from None


def _places(header: Mapping[str, Any], metadata: Mapping[str, str], *, first: int) -> tuple[Places, int]:
    """Where each entry lies, and the bytes of all."""
    storage, dim = STORAGE[metadata["dtype"]], int(metadata["dim"])
    entries = header.values()
    shapes = np.array([entry["shape"] for entry in entries], dtype=np.int64).reshape(len(header), 2)
    offsets = np.array([entry["data_offsets"] for entry in entries], dtype=np.int64).reshape(len(header), 2)
    checksums = np.frombuffer(bytes.fromhex(metadata["checksums"]), ">u4")
    num_frames = shapes[:, 0]
    sizes = num_frames * dim * storage.numpy.itemsize
    ends = np.cumsum(sizes)
    right = (num_frames >= 0) & (shapes[:, 1] == dim) & (offsets[:, 0] == ends - sizes) & (offsets[:, 1] == ends)
    if len(checksums) != len(header) or not right.all() or any(entry["dtype"] != storage.code for entry in entries):
        raise ValueError("entries and checksums")
    places = Places(tuple(header), starts=first + ends - sizes, num_frames=num_frames, checksums=checksums)
    return places, int(sizes.sum())


def _indexed(
    path: Path, metadata: Mapping[str, str], places: Places, *, num_bytes: int, expected_bytes: int
) -> ShardIndex:
    dim, dtype = int(metadata["dim"]), cast("Dtype", metadata["dtype"])
    damage: list[Damage] = []
    if num_bytes < expected_bytes:
        written, places = places, places.within(num_bytes, row_bytes=dim * STORAGE[dtype].numpy.itemsize)
        damage = [Damage(shard=path, key=key, reason=TOO_SHORT) for key in written if key not in places]
    elif num_bytes > expected_bytes:
        damage = [Damage(shard=path, reason=f"{num_bytes - expected_bytes} bytes follow its last entry")]
    return ShardIndex(
        path=path,
        space=metadata["space"],
        dim=dim,
        dtype=dtype,
        places=places,
        num_bytes=num_bytes,
        damage=damage,
    )
