"""What a space holds the features of, and the name that follows from it. Torch-free."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.cache.dtypes import STORAGE, Dtype
from vietmer_core.cache.whole_files import write_whole
from vietmer_core.errors import CacheError

SPACE_FILE: Final = "space.json"
FORMAT: Final = 1
_DIGITS: Final = 16
_FOLDER: Final = re.compile(rf"[a-z0-9_.]+-[0-9a-f]{{{_DIGITS}}}")


@attrs.frozen(kw_only=True, eq=False)
class SpaceIdentity:
    """All that can change a number in the space.

    Attributes:
        kind: Kind of the encoder.
        dim: Width of the features.
        dtype: That they are stored in.
        fields: Hashes, parameters, versions: whatever the caller tells apart, as JSON.
        shown: For a reader, such as the checkpoint's name; no part of the digest.
        created: When the space was made, ISO 8601; no part of the digest.
    """

    kind: str
    dim: int = attrs.field(validator=attrs.validators.ge(1))
    dtype: Dtype = attrs.field(validator=attrs.validators.in_(STORAGE))
    fields: Mapping[str, Any]
    shown: Mapping[str, Any] = attrs.field(factory=dict)
    created: str = attrs.field(factory=lambda: datetime.now().astimezone().isoformat(timespec="seconds"))

    @property
    def digest(self) -> str:
        """SHA-256 of the identity as JSON, 64 hexadecimal digits."""
        content = {"format": FORMAT, **self._content()}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def folder(self) -> str:
        """Name of the space's folder."""
        return f"{re.sub(r'[^a-z0-9_.]', '_', self.kind.lower())}-{self.digest[:_DIGITS]}"

    def look_up(self, name: str) -> Any:
        """What is shown under a name, or a field, which may stand inside `params`; None where there is none."""
        if name in self.shown:
            return self.shown[name]
        params = self.fields.get("params")
        return self.fields.get(name, params.get(name) if isinstance(params, Mapping) else None)

    def write(self, folder: Path) -> None:
        """Save it in the space's folder.

        Raises:
            OSError: if it cannot be written.
        """
        document = {"format": FORMAT, **self._content(), "digest": self.digest, "created": self.created}
        document |= {"shown": dict(self.shown)} if self.shown else {}
        text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        write_whole(folder / SPACE_FILE, [text.encode()])

    def _content(self) -> dict[str, Any]:
        return {"kind": self.kind, "dim": self.dim, "dtype": self.dtype, "identity": dict(self.fields)}


def read_identity(folder: Path) -> SpaceIdentity | None:
    """What the space in a folder holds; None where its `space.json` is absent or not what was written.

    Raises:
        CacheError: if it cannot be read.
    """
    try:
        document = json.loads((folder / SPACE_FILE).read_text(encoding="utf-8"))
        found = SpaceIdentity(
            kind=document["kind"],
            dim=document["dim"],
            dtype=document["dtype"],
            fields=document["identity"],
            shown=document.get("shown", {}),
            created=document["created"],
        )
        return found if found.digest == document["digest"] and found.folder == folder.name else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    except OSError as error:
        raise CacheError(f"{folder / SPACE_FILE}: cannot be read: {error.strerror or error}.") from None


def is_space_name(name: str) -> bool:
    """Whether a folder has the name of a space."""
    return _FOLDER.fullmatch(name) is not None


def digits_of(name: str) -> str:
    """The first digits of a space's digest, from the name of its folder."""
    return name[-_DIGITS:]
