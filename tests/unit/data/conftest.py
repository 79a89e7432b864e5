import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from vietmer_core.data.manifest import Manifest, ManifestSource

Row = dict[str, Any]
MakeRow = Callable[..., Row]
WriteManifest = Callable[..., Path]
WriteAudio = Callable[..., Path]


def noise(seconds: float, sampling_rate: int, num_channels: int = 1) -> NDArray[np.float32]:
    shape = (round(seconds * sampling_rate), num_channels)
    return (0.1 * np.random.default_rng(7).standard_normal(shape)).astype(np.float32)


@pytest.fixture
def make_row() -> MakeRow:
    """A sound row with an id of its own; a field given as `...` is left out."""
    numbers: Iterator[int] = count(1)

    def make(**fields: Any) -> Row:
        row = {
            "utterance_id": f"u{next(numbers)}",
            "speaker_id": "lan",
            "wav_path": None,
            "start": None,
            "end": None,
            "transcript": "tôi rất vui",
            "emotion": "happy",
        }
        return {name: value for name, value in {**row, **fields}.items() if value is not ...}

    return make


@pytest.fixture
def write_manifest(tmp_path: Path) -> WriteManifest:
    """Writes rows (objects, or bytes as they are), one a line."""

    def write(*rows: Row | bytes, name: str = "split.jsonl") -> Path:
        path = tmp_path / name
        lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    return write


@pytest.fixture
def write_audio(tmp_path: Path) -> WriteAudio:
    """Writes noise; the format follows the name and `options` of soundfile."""

    def write(
        name: str, *, seconds: float = 2.0, sampling_rate: int = 16_000, num_channels: int = 1, **options: str
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, noise(seconds, sampling_rate, num_channels), sampling_rate, **options)
        return path

    return write


@pytest.fixture
def open_manifest() -> Callable[..., Manifest]:
    """Opens paths as one split."""

    def open_(*paths: Path, **settings: Any) -> Manifest:
        return Manifest.open([ManifestSource(path=path) for path in paths], **{"require_labels": True, **settings})

    return open_
