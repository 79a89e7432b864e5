"""`FeatureSpace`: what one frozen encoder gave, in one dtype. Torch-free."""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Self, final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.cache.contents import Contents
from vietmer_core.cache.damage import Damage, DamageError
from vietmer_core.cache.dtypes import Dtype
from vietmer_core.cache.folder import make_folder
from vietmer_core.cache.identity import SpaceIdentity
from vietmer_core.cache.locks import HeldLock
from vietmer_core.cache.reading import Maps, read_checked
from vietmer_core.cache.shard_format import ShardIndex
from vietmer_core.cache.upkeep import lock_for_filling, make_space, mark_used, remove_leftovers, set_aside
from vietmer_core.cache.writer import FLUSH_SECONDS, Target, Writer
from vietmer_core.errors import CacheError, DamagedEntryError, MissingEntryError


@final
class FeatureSpace:
    """Features by key, on disk; safe beside other processes that read and fill the same space.

    Survives `pickle`, `fork` and `spawn`: index and maps belong to each process, which makes them when it first reads.
    Damage that a process finds makes the entry count as absent for it. One object is for one thread.

    Args:
        path: Folder of the space.
        identity: What it holds.
        mark: That it is in use.
    """

    def __init__(self, path: Path, identity: SpaceIdentity, *, mark: HeldLock | None) -> None:
        self.path: Final = path
        self.identity: Final = identity
        self._mark = mark
        self._maps: Final = Maps()
        self._digest: Final = identity.digest
        self._index: Contents | None = None

    @classmethod
    def open(
        cls,
        root: Path,
        identity: Mapping[str, Any],
        *,
        kind: str,
        dim: int,
        dtype: Dtype,
        shown: Mapping[str, Any] | None = None,
    ) -> Self:
        """The space of an encoder, made where it is absent.

        Args:
            root: The cache folder, made where it is absent.
            identity: All that can change a feature, as JSON: checkpoint, hashes, parameters, versions.
            kind: Kind of the encoder.
            dim: Width of the features.
            dtype: To store them in.
            shown: What `vietmer cache info` shows beside, as JSON; it does not tell spaces apart.

        Raises:
            CacheError: if the folder cannot be made or read, or holds something else.
        """
        make_folder(root)
        fields = json.loads(json.dumps(dict(identity), allow_nan=False))
        described = SpaceIdentity(kind=kind, dim=dim, dtype=dtype, fields=fields, shown=dict(shown or {}))
        mark = make_space(root, described)
        return cls(root / described.folder, described, mark=mark)

    @property
    def kind(self) -> str:
        return self.identity.kind

    @property
    def dim(self) -> int:
        return self.identity.dim

    @property
    def dtype(self) -> Dtype:
        return self.identity.dtype

    @property
    def damage(self) -> Sequence[Damage]:
        """What this process has found damaged so far; `str` of each is a sentence."""
        return self._contents.damage

    def __len__(self) -> int:
        return len(self._contents)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._contents.find(key) is not None

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.identity)

    def refresh(self) -> None:
        """See what other processes have written or removed since.

        Raises:
            CacheError: if the folder cannot be read.
        """
        self._touch()
        for name in self._contents.refresh():
            self._maps.forget(name)

    def missing(self, keys: Iterable[str], *, verify: bool = False) -> list[str]:
        """The keys that are absent, in their order and once each; the damaged ones too where all are verified."""
        wanted = dict.fromkeys(keys)
        if verify:
            self.check(wanted)
        return [key for key in wanted if key not in self]

    def check(self, keys: Iterable[str]) -> list[str]:
        """Read and verify those of the keys that are there; the damaged ones, which count as absent from now on."""
        self.refresh()
        wanted = [key for key in dict.fromkeys(keys) if key in self]
        unchecked = wanted
        while unchecked:
            held: dict[ShardIndex, list[str]] = {}
            for key in unchecked:
                shard = self._contents.find(key)
                if shard is not None:
                    held.setdefault(shard, []).append(key)
            unchecked = [key for shard, members in held.items() for key in self._disbelieved(shard, members)]
        return [key for key in wanted if key not in self]

    def read(self, key: str) -> NDArray[Any]:
        """The features of an utterance, verified.

        Returns:
            `(frames, dim)` of float32, float16 or, for bf16, uint16 bits; a view of the file, not writable.

        Raises:
            MissingEntryError: if they are absent.
            DamagedEntryError: if no copy of them is what was written.
        """
        array = self._read(key)
        if array is None:
            self.refresh()  # another process may have written them, or moved them to another shard
            array = self._read(key)
        if array is None:
            raise self._absence(key)
        return array

    def lengths(self, keys: Iterable[str]) -> NDArray[np.int64]:
        """Frames of each utterance `(keys,)`, without reading the features.

        Raises:
            MissingEntryError: if one is absent.
        """
        return np.array([self._num_frames(key) for key in keys], dtype=np.int64)

    def filling(
        self, *, on_wait: Callable[[str], None] | None = None, flush_seconds: float = FLUSH_SECONDS
    ) -> AbstractContextManager[Writer]:
        """Lock the space for writing; others of this space wait, those of other spaces do not.

        Ask `missing` once more inside: another may have filled it meanwhile. What was put is kept however the block
        is left.

        Args:
            on_wait: Told, in one sentence, who fills it now.
            flush_seconds: At most so much work is lost by a kill.

        Raises:
            CacheError: if the space cannot be written.
        """
        return self._filling(on_wait=on_wait, flush_seconds=flush_seconds)

    def close(self) -> None:
        """Give up maps and the mark that the space is in use; arrays that were read stay valid."""
        self._touch()
        self._maps.clear()
        if self._mark is not None:
            self._mark.release()
            self._mark = None

    @property
    def _contents(self) -> Contents:
        if self._index is None:
            self._index = Contents(self.path, space=self._digest)
            self._index.refresh()
        return self._index

    @contextmanager
    def _filling(self, *, on_wait: Callable[[str], None] | None, flush_seconds: float) -> Iterator[Writer]:
        lock = lock_for_filling(self.path, on_wait=on_wait)
        try:
            remove_leftovers(self.path)
            self.refresh()
            if set_aside(self._contents):
                self.refresh()
            target = Target(folder=self.path, space=self._digest, dim=self.dim, dtype=self.dtype)
            writer = Writer(target, self._contents, flush_seconds=flush_seconds)
            try:
                yield writer
            except BaseException as error:
                try:
                    writer.flush()
                except CacheError as second:
                    error.add_note(str(second))
                raise
            writer.flush()
        finally:
            lock.release()

    def _read(self, key: str) -> NDArray[Any] | None:
        while (shard := self._contents.find(key)) is not None:
            try:
                return self._maps.read(shard, key)
            except DamageError as error:
                self._contents.disbelieve(error.damage)
            except FileNotFoundError:
                return None
        return None

    def _disbelieved(self, shard: ShardIndex, keys: Sequence[str]) -> list[str]:
        """The keys whose entry in a shard is damaged."""
        damage = [found for _, found in read_checked(shard, keys) if isinstance(found, Damage)]
        for found in damage:
            self._contents.disbelieve(found)
        return [found.key for found in damage if found.key is not None]

    def _num_frames(self, key: str) -> int:
        shard = self._contents.find(key)
        if shard is None:
            raise self._absence(key)
        return shard.places[key].num_frames

    def _absence(self, key: str) -> CacheError:
        if self._contents.was_damaged(key):
            return DamagedEntryError(
                f"{self.path}: the features of utterance {key[:16]}… are not what was written. Start the run again: "
                "they are computed anew. `vietmer cache verify` says what else is damaged."
            )
        return MissingEntryError(
            f"{self.path}: holds no features of utterance {key[:16]}…. Start the run again: they are computed then."
        )

    def _touch(self) -> None:
        if self._mark is not None and self._mark.is_held:  # a forked child holds none: its number may be a stranger's
            with contextlib.suppress(OSError):
                os.utime(self._mark.descriptor)


def _reopen(path: Path, identity: SpaceIdentity) -> FeatureSpace:
    return FeatureSpace(path, identity, mark=mark_used(path))
