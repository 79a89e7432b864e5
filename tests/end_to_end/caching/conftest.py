"""A spec that keeps the states of a frozen Whisper, and a count of what is encoded."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.caching.cached_runs import WINDOWS
from vietmer_core.model import EmotionModel


@pytest.fixture
def spec_path(workplace: Path, whisper: Path) -> Path:
    path = workplace / "spec.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    audio = {"kind": "whisper", "checkpoint": f"./{whisper.name}", **WINDOWS}
    document |= {"audio": audio, "cache": "./cache"}
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that went through a frozen encoder, pass by pass."""
    seen: list[int] = []
    original = EmotionModel.encode

    def counting(self: EmotionModel, modality: Any, features: Any) -> Any:
        if self.has_states(modality):
            seen.append(int((features.lengths > 0).sum()))
        return original(self, modality, features)

    monkeypatch.setattr(EmotionModel, "encode", counting)
    return seen
