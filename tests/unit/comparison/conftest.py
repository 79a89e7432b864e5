"""Systems from arrays, and run folders as `train` and `evaluate` leave them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from vietmer_core.comparison.systems import System

LABELS = ("angry", "happy", "neutral", "sad")
MakeSystem = Callable[..., System]
MakeRun = Callable[..., Path]


def probabilities_of(predicted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities `(…, classes)` whose most probable class is the one predicted."""
    return np.where(np.arange(len(LABELS)) == predicted[..., None], 0.7, 0.1)


def noisy(
    truth: NDArray[np.int64], *, accuracy: float, num_seeds: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Predicted classes `(seeds, utterances)`, right with a given probability."""
    shape = (num_seeds, len(truth))
    wrong = (truth + generator.integers(1, len(LABELS), size=shape)) % len(LABELS)
    return np.where(generator.random(shape) < accuracy, truth, wrong)


@pytest.fixture
def make_system() -> MakeSystem:
    """Systems over the same utterances; what differs is named."""

    def make(
        name: str, *, accuracy: float = 0.6, num_seeds: int = 1, draw: int = 0, num_speakers: int = 12, **fields: Any
    ) -> System:
        count = 8 * num_speakers
        truth = np.random.default_rng(7).integers(0, len(LABELS), size=count)
        predicted = noisy(truth, accuracy=accuracy, num_seeds=num_seeds, generator=np.random.default_rng(draw))
        given = {
            "labels": LABELS,
            "utterance_ids": tuple(f"u{index:03d}" for index in range(count)),
            "speakers": tuple(f"s{index % num_speakers}" for index in range(count)),
            "truth": truth,
            "probabilities": probabilities_of(predicted),
            "seeds": tuple(range(num_seeds)),
        }
        return System(name=name, **{**given, **fields})

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A run folder with the scores and the predictions of one split."""

    def make(
        folder: str,
        *,
        name: str = "tiny",
        seed: int = 0,
        accuracy: float = 0.6,
        utterances: Sequence[int] = range(96),
        labels: Sequence[str] = LABELS,
        split: str = "test",
        spec: dict[str, Any] | None = None,
        scores: dict[str, Any] | None = None,
        provenance: dict[str, Any] | None = None,
    ) -> Path:
        path = tmp_path / folder
        rows = np.array(utterances)
        truth = rows % len(labels)
        generator = np.random.default_rng(sum(map(ord, folder)) + 1000 * seed)
        wrong = (truth + generator.integers(1, len(labels), size=len(rows))) % len(labels)
        predicted = np.where(generator.random(len(rows)) < accuracy, truth, wrong)
        resolved = {"name": name, "seed": seed, "labels": list(labels), "data": {"fingerprint": "content"}}
        texts = {
            "spec.yaml": yaml.safe_dump({**resolved, **(spec or {})}),
            "provenance.json": json.dumps({"data": {"train": "t", "valid": "v"}, **(provenance or {})}),
            "status.json": json.dumps({"best_epoch": 2}),
            f"evaluation/{split}/scores.json": json.dumps(
                {
                    "split": split,
                    "data": "fingerprint",
                    "epoch": 2,
                    "num_utterances": len(rows),
                    "accuracy": float((predicted == truth).mean()),
                    **(scores or {}),
                }
            ),
            f"predictions/{split}.jsonl": "".join(
                json.dumps(
                    {
                        "utterance_id": f"u{row:03d}",
                        "speaker_id": f"s{row % 12}",
                        "label": labels[true],
                        "predicted": labels[guess],
                        "probabilities": dict(
                            zip(labels, np.where(np.arange(len(labels)) == guess, 0.7, 0.1), strict=True)
                        ),
                    }
                )
                + "\n"
                for row, true, guess in zip(rows, truth, predicted, strict=True)
            ),
        }
        for file, text in texts.items():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_text(text, encoding="utf-8")
        return path

    return make
