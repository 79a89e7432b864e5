"""`SampleCache`: what has been prepared of utterances, in memory."""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar, final


class Kept(Protocol):
    """What the cache holds of one utterance."""

    @property
    def index(self) -> int:
        """Position of the utterance in its split."""
        ...

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        ...


Entry = TypeVar("Entry", bound=Kept)


@final
class SampleCache(Generic[Entry]):
    """Prepared utterances in memory, the least recently used dropped first.

    Args:
        mib: What they may take together, MiB.
    """

    def __init__(self, mib: int) -> None:
        self._limit = mib * 2**20
        self._size = 0
        self._entries: OrderedDict[int, Entry] = OrderedDict()

    def get(self, index: int) -> Entry | None:
        """The entry of a position, or None."""
        entry = self._entries.get(index)
        if entry is not None:
            self._entries.move_to_end(index)
        return entry

    def put(self, entry: Entry) -> None:
        """Keep an entry of a position that has none, if it fits at all."""
        if entry.num_bytes > self._limit:
            return
        self._entries[entry.index] = entry
        self._size += entry.num_bytes
        while self._size > self._limit:
            _, dropped = self._entries.popitem(last=False)
            self._size -= dropped.num_bytes
