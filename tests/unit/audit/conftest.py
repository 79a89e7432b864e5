import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from vietmer_core.audit import AuditReport, audit_splits
from vietmer_core.data.manifest import ManifestSource

Row = dict[str, Any]
Waveform = NDArray[np.float32]
Audit = Callable[..., AuditReport]
WriteSplits = Callable[[Mapping[str, Sequence[Row]]], dict[str, list[ManifestSource]]]

LABELS = ("angry", "happy", "neutral", "sad")
SYLLABLES = "anh chị em ơi hôm nay trời mưa to quá tôi muốn hỏi về gói cước này đơn hàng chưa thấy giao tới nhà mình"
MORE = "cảm bạn rất nhiều công ty sẽ gọi lại sau giờ trưa mai nhé được không ạ vâng dạ thưa ông bà cô chú bác đi làm"
WORDS = f"{SYLLABLES} {MORE}".split(" ")


@lru_cache(1024)
def _speech(seed: int, *, seconds: float = 2.0, sampling_rate: int = 16_000) -> Waveform:
    """A babble of voiced syllables with pauses between, quiet at both ends; another seed says something else."""
    generator = np.random.default_rng(seed)
    waveform = np.zeros(round(seconds * sampling_rate))
    begin = round(0.1 * sampling_rate)
    while begin < len(waveform) - 0.35 * sampling_rate:
        length = round(generator.uniform(0.12, 0.22) * sampling_rate)
        time = np.arange(length) / sampling_rate
        pitch = generator.uniform(100, 240) * (1 + generator.uniform(-0.3, 0.3) * time)
        formants = generator.uniform([350, 900, 2200], [850, 2100, 3200])
        harmonics = np.arange(1, 21)[:, None]
        weights = 0.1 + np.exp(-(((harmonics * pitch[0] - formants) / 300) ** 2)).sum(axis=1)  # (harmonics,)
        phase = 2 * np.pi * np.cumsum(pitch) / sampling_rate
        waveform[begin : begin + length] = weights @ np.sin(harmonics * phase)
        waveform[begin : begin + length] *= np.hanning(length)
        begin += length + round(generator.uniform(0.02, 0.08) * sampling_rate)
    waveform *= 0.3 / np.abs(waveform).max()
    return (waveform + 1e-4 * generator.standard_normal(len(waveform))).astype(np.float32)


def _sentence(seed: int, num_words: int = 9) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, size=num_words).tolist()) + "."


def _clean_rows(split: str, *, num_speakers: int = 4, num_rows: int = 16) -> list[Row]:
    """Rows of text in which nothing leaks: other speakers in each split, every label said by each."""
    first = {"train": 0, "valid": 1000, "test": 2000}[split]
    return [
        {
            "utterance_id": f"{split}_{number:03d}",
            "speaker_id": f"{split}_speaker_{number % num_speakers}",
            "wav_path": None,
            "start": None,
            "end": None,
            "transcript": _sentence(first + number),
            "emotion": LABELS[number // num_speakers % len(LABELS)],
        }
        for number in range(num_rows)
    ]


@pytest.fixture
def speech() -> Callable[..., Waveform]:
    """Makes a waveform of a seed."""
    return _speech


@pytest.fixture
def clean_rows() -> Callable[..., list[Row]]:
    """Makes the rows of a split in which nothing leaks."""
    return _clean_rows


@pytest.fixture
def write_splits(tmp_path: Path) -> WriteSplits:
    """Writes the rows of each split into a manifest; a row's `samples` become its audio."""

    def write(splits: Mapping[str, Sequence[Row]]) -> dict[str, list[ManifestSource]]:
        sources = {}
        for name, rows in splits.items():
            lines = []
            for row in rows:
                written = dict(row)
                samples = written.pop("samples", None)
                if samples is not None:
                    written["wav_path"] = f"{row['utterance_id']}.flac"
                    rate = written.pop("rate", 16_000)
                    soundfile.write(tmp_path / written["wav_path"], samples, rate, subtype="PCM_16")
                lines.append(json.dumps(written, ensure_ascii=False))
            path = tmp_path / f"{name}.jsonl"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            sources[name] = [ManifestSource(path=path)]
        return sources

    return write


@pytest.fixture
def audit(write_splits: WriteSplits) -> Audit:
    """Audits rows."""

    def run(splits: Mapping[str, Sequence[Row]], **settings: Any) -> AuditReport:
        return audit_splits(write_splits(splits), **settings)

    return run
