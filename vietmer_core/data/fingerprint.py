"""The fingerprint of a split: the same bytes give the same fingerprint, wherever they lie. Torch-free."""

import hashlib
from pathlib import Path

from vietmer_core.data.manifest import Manifest
from vietmer_core.errors import DataError
from vietmer_core.files import file_sha256


def split_fingerprint(manifest: Manifest, *, content: bool) -> str:
    """SHA-256 over the bytes of the manifests and over every recording that the split uses.

    A recording enters by its `wav_path` as written, its size and, with `content`, the SHA-256 of its bytes; so a copy
    of the corpus in another folder has the same fingerprint. The order of the manifests counts, since it is the order
    of the rows. Label maps do not enter: they belong to the spec.

    Args:
        manifest: An open split.
        content: Whether the bytes of the audio are read; otherwise an edit that keeps the size goes unnoticed.

    Raises:
        DataError: where a recording is missing or cannot be read.
    """
    digest = hashlib.sha256()
    for source in manifest.sources:
        _add(digest, "manifest", _hash_file(source.path))
    for number, written, path in manifest.recordings():
        try:
            size = path.stat().st_size
        except OSError:
            raise DataError(f"audio file `{path}` does not exist. Check `wav_path` and the audio root.") from None
        _add(digest, "recording", str(number), written, str(size), _hash_file(path) if content else "")
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", *parts: str) -> None:
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)


def _hash_file(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"`{path}` cannot be read: {error.strerror}.") from None
