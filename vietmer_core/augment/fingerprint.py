"""The fingerprint of the noise of a run: the same recordings give the same, wherever they lie. Torch-free."""

import hashlib
import json

from vietmer_core.augment.noise import AddedNoise
from vietmer_core.augment.noise_recordings import NoiseRecording, RecordedNoise
from vietmer_core.augment.pipeline import WaveformAugmentation
from vietmer_core.errors import DataError
from vietmer_core.files import file_sha256


def noise_fingerprint(augmentation: WaveformAugmentation | None, *, content: bool) -> str | None:
    """SHA-256 over the names, the sizes and the bytes of all recordings of noise; None where there are none.

    Args:
        augmentation: Of the training split.
        content: Whether the bytes are read, too.

    Raises:
        DataError: if a recording cannot be read.
    """
    folders = [
        [_entry(recording, content=content) for recording in source.recordings]
        for drawn in (() if augmentation is None else augmentation.operations)
        if isinstance(drawn.operation, AddedNoise)
        for source in drawn.operation.sources
        if isinstance(source, RecordedNoise)
    ]
    return hashlib.sha256(json.dumps(folders).encode()).hexdigest() if folders else None


def _entry(recording: NoiseRecording, *, content: bool) -> tuple[str, int, str]:
    try:
        return recording.name, recording.path.stat().st_size, file_sha256(recording.path) if content else ""
    except OSError as error:
        raise DataError(f"`{recording.path}` cannot be read: {error.strerror}.") from None
