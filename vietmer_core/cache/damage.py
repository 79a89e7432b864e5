"""What is wrong with a shard or an entry of it. Torch-free."""

import errno
from pathlib import Path
from typing import Final

import attrs

from vietmer_core.errors import CacheError

_OF_THE_PROCESS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors of reading that say nothing about the file."""


@attrs.frozen(kw_only=True)
class Damage:
    """One shard or entry that is not what was written.

    Attributes:
        shard: Path of the shard.
        key: The entry; None for the shard as a whole.
        reason: A clause, such as "its checksum does not match".
        lasting: Whether reading again would give the same; a file that may not be read for now is not lasting.
    """

    shard: Path
    reason: str
    key: str | None = None
    lasting: bool = True

    def __str__(self) -> str:
        entry = f" entry {self.key[:16]}…:" if self.key else ""
        return f"{self.shard}:{entry} {self.reason}"


class DamageError(Exception):
    """Carries a `Damage` to where it is recorded; never leaves the package."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(str(damage))
        self.damage: Final = damage


def unreadable(path: Path, error: OSError, *, key: str | None = None) -> DamageError:
    """The damage that an error of reading is.

    Raises:
        CacheError: if the error is one of this process, not of the file.
    """
    text = error.strerror or str(error)
    if error.errno in _OF_THE_PROCESS:
        raise CacheError(f"{path}: cannot be read now: {text}. Let the process open more files (`ulimit -n`).")
    return DamageError(Damage(shard=path, key=key, reason=f"it cannot be read ({text})", lasting=False))
