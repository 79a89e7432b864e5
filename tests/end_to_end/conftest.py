"""A tiny corpus of real files and a tiny experiment over it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from tests.end_to_end.calling import vietmer

LABELS = ["angry", "sad"]
WORDS = {"angry": "tôi rất bực mình vì mạng chậm", "sad": "tôi buồn và thất vọng lắm"}


def write_corpus(folder: Path, *, utterances: int = 12) -> None:
    """Tones of two pitches for two emotions, spoken by speakers that no two splits share."""
    generator = np.random.default_rng(0)
    (folder / "audio").mkdir(parents=True)
    for split in ("train", "valid", "test"):
        rows = []
        for index in range(utterances if split == "train" else utterances // 2):
            label = LABELS[index % 2]
            seconds = 0.3 + 0.05 * (index % 5)
            time = np.arange(round(16_000 * seconds)) / 16_000
            samples = 0.3 * np.sin(2 * np.pi * (600 if label == "angry" else 200) * time)
            samples += 0.01 * generator.standard_normal(len(time))
            name = f"audio/{split}_{index:02d}.wav"
            soundfile.write(folder / name, samples, 16_000)
            rows.append(
                {
                    "utterance_id": f"{split}_{index:02d}",
                    "speaker_id": f"{split}_speaker_{index % 3}",
                    "wav_path": name,
                    "start": 0.0,
                    "end": round(seconds, 3),
                    "transcript": WORDS[label] + " ạ" * (index % 3),
                    "emotion": label,
                }
            )
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")


def tiny_spec(**changes: Any) -> dict[str, Any]:
    """A spec that trains in a second; dropout is on, so that random numbers matter."""
    spec: dict[str, Any] = {
        "name": "tiny",
        "labels": LABELS,
        "seed": 3,
        "threads": 1,
        "data": {split: f"corpus/{split}.jsonl" for split in ("train", "valid", "test")},
        "text": {"kind": "syllable", "dim": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 16},
        "audio": {
            "kind": "fourier2vec",
            "dim": 8,
            "num_layers": 1,
            "num_heads": 2,
            "hidden_dim": 16,
            "patch_frames": 4,
        },
        "fusion": {"kind": "xattn", "dim": 8, "num_heads": 2},
        "pooler": {"kind": "attn", "num_heads": 2},
        "head": {"kind": "mlp", "hidden_dims": [8], "dropout": 0.2},
        "sampler": {"kind": "length_bucket", "batch_size": 4},
        "training": {"epochs": 3, "learning_rate": 0.01, "device": "cpu"},
    }
    return {**spec, **changes}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder with the corpus and `spec.yaml`, the current one."""
    write_corpus(tmp_path / "corpus")
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(tiny_spec(), allow_unicode=True), encoding="utf-8")
    monkeypatch.setenv("VIETMER_CACHE", str(tmp_path / "default_cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_spec(workplace: Path) -> Callable[..., Path]:
    """Write a changed spec into the workplace."""

    def write(**changes: Any) -> Path:
        path = workplace / "changed.yaml"
        path.write_text(yaml.safe_dump(tiny_spec(**changes), allow_unicode=True), encoding="utf-8")
        return path

    return write


@pytest.fixture
def save_whisper() -> Callable[..., Path]:
    """Save a tiny Whisper of three layers with dropout and random weights, as transformers does."""
    from transformers import WhisperConfig, WhisperModel
    from vietmer_audio_whisper import plugin

    tiny = Path(plugin.__file__).parent / "tiny"

    def save(folder: Path, *, seed: int = 0, dropout: float = 0.2) -> Path:
        torch.manual_seed(seed)
        config = WhisperConfig.from_pretrained(tiny)
        config.encoder_layers, config.dropout = 3, dropout
        WhisperModel(config).save_pretrained(folder)
        shutil.copy(tiny / "preprocessor_config.json", folder)
        return folder

    return save


@pytest.fixture
def whisper(workplace: Path, save_whisper: Callable[..., Path]) -> Path:
    """That checkpoint beside the spec."""
    return save_whisper(workplace / "whisper")


@pytest.fixture
def run(workplace: Path) -> Path:
    """A run of one epoch, which errs."""
    vietmer("train", workplace / "spec.yaml", "--set", "training.epochs=1", "--runs", workplace / "runs")
    (path,) = (path for path in (workplace / "runs").iterdir() if path.is_dir())
    return path
