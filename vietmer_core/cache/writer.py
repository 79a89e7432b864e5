"""`Writer`: puts features into a space, a shard at a time. Torch-free."""

import re
import time
from pathlib import Path
from typing import Any, Final, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.cache.contents import Contents, new_shard_name
from vietmer_core.cache.damage import DamageError
from vietmer_core.cache.dtypes import Dtype, to_storage
from vietmer_core.cache.folder import cannot_write
from vietmer_core.cache.shard_format import NewEntry, ShardIndex, encode_header, entry_checksum, read_index
from vietmer_core.cache.whole_files import write_whole
from vietmer_core.cache.wording import count
from vietmer_core.errors import CacheError

SHARD_BYTES: Final = 64 * 2**20
"""Of data in a shard, about."""
SHARD_ENTRIES: Final = 65_536
"""In a shard at most, so that its header stays small however short the entries are."""
FLUSH_SECONDS: Final = 30.0
"""What a kill may lose."""
_KEY: Final = re.compile(r"[0-9a-f]{64}")


@attrs.frozen(kw_only=True)
class Target:
    """Where a shard goes and what it holds."""

    folder: Path
    space: str
    dim: int
    dtype: Dtype

    def write(self, entries: list[NewEntry]) -> ShardIndex:
        """Write entries as a new shard.

        Raises:
            OSError: if it cannot be written; nothing is left then.
            DamageError: if what was written cannot be read.
        """
        path = self.folder / new_shard_name()
        header = encode_header(entries, space=self.space, shard=path.name, dim=self.dim, dtype=self.dtype)
        write_whole(path, [header, *(entry.array.data for entry in entries)])
        return read_index(path, space=self.space)


@final
class Writer:
    """Collects entries and writes them as shards of about 64 MiB, or every so many seconds.

    Args:
        target: The space.
        contents: Told of every shard written.
        flush_seconds: After which `put` writes what it has, however little.
    """

    def __init__(self, target: Target, contents: Contents, *, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._target: Final = target
        self._contents: Final = contents
        self._flush_seconds: Final = flush_seconds
        self._waiting: dict[str, NewEntry] = {}
        self._num_bytes = 0
        self._since = 0.0

    def put(self, key: str, array: NDArray[Any]) -> None:
        """Add an entry; on disk and readable after the next `flush`, which is called by itself.

        Args:
            key: SHA-256 of the utterance's content, 64 lower-case hexadecimal digits.
            array: `(frames, dim)`, float32, which is rounded, or the stored dtype (bf16: uint16 bits).

        Raises:
            CacheError: if a number is not finite in the stored dtype, or the disk is full or cannot be written.
            ValueError: if the key or the shape is not as above.
            TypeError: if the dtype is not.
        """
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"`key` must be 64 lower-case hexadecimal digits, but is {key!r} instead.")
        if array.ndim != 2 or array.shape[1] != self._target.dim:
            raise ValueError(
                f"`array` must be of shape (frames, {self._target.dim}), but is of shape {array.shape} instead."
            )
        if key in self._waiting:
            return
        stored = to_storage(array, dtype=self._target.dtype)
        if np.shares_memory(stored, array):
            stored = stored.copy()  # the caller may use the memory again
        checksum = entry_checksum(stored.data, space=self._target.space, key=key, num_frames=len(stored))
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting[key] = NewEntry(key, stored, checksum)
        self._num_bytes += stored.nbytes
        if self._is_due():
            self.flush()

    def flush(self) -> None:
        """Bring to the disk what was put.

        Raises:
            CacheError: if that fails; what was put since the last `flush` is lost, and all before it is kept.
        """
        if not self._waiting:
            return
        try:
            self._contents.add(self._target.write(list(self._waiting.values())))
        except OSError as error:
            self._forget()
            kept = f"It keeps {count(len(self._contents), 'utterance')}."
            raise cannot_write(self._target.folder, error, kept=kept, dtype=self._target.dtype) from None
        except DamageError as error:
            self._forget()
            raise CacheError(f"{error} just after it was written. Check the disk.") from None
        self._forget()  # not before: Ctrl-C in the middle leaves them to be written on leaving

    def _forget(self) -> None:
        self._waiting, self._num_bytes = {}, 0

    def _is_due(self) -> bool:
        full = self._num_bytes >= SHARD_BYTES or len(self._waiting) >= SHARD_ENTRIES
        return full or time.monotonic() - self._since >= self._flush_seconds
