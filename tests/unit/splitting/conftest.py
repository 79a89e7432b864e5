import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.splitting.plan import SplitPlan, plan_splits
from vietmer_core.splitting.settings import SplitSettings

Row = dict[str, Any]


def sound_row(number: int, **fields: Any) -> Row:
    row = {
        "utterance_id": f"u{number:03d}",
        "speaker_id": "lan",
        "wav_path": None,
        "start": None,
        "end": None,
        "transcript": f"câu số {number}",
        "emotion": "happy",
    }
    return {**row, **fields}


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., list[Row]]:
    """Sound rows from the fields in which they differ."""
    return lambda *fields: [sound_row(number, **one) for number, one in enumerate(fields)]


@pytest.fixture(scope="session")
def write_rows() -> Callable[[Path, Sequence[Row]], Path]:
    return write


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., SplitPlan]:
    """Plans the splits of rows that lie in a folder of their own for so long."""

    def make(rows: Sequence[Row], label_field: str = "emotion", **settings: Any) -> SplitPlan:
        with tempfile.TemporaryDirectory() as folder:
            source = ManifestSource(path=write(Path(folder) / "all.jsonl", rows))
            manifest = Manifest.open([source], label_field=label_field, require_labels=False)
            return plan_splits(manifest, SplitSettings(**settings))

    return make
