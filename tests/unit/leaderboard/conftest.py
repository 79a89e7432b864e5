"""Run folders that were evaluated, in the layout that `train` and `evaluate` leave."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from vietmer_core.evaluation.metrics import score

LABELS = ("angry", "happy", "sad")
PROTOCOL = "speaker-disjoint, stratified by emotion, seed 0"
WriteRun = Callable[..., Path]


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Write a run folder with scores and predictions of one split."""

    def write(
        place: str,
        *,
        gain: float = 1.0,
        seed: int = 0,
        name: str = "fused",
        pooler: str = "mean",
        split: str = "test",
        data: str = "d" * 64,
        labels: Sequence[str] = LABELS,
        protocol: str | None = PROTOCOL,
        verdict: str = "clean",
        num_speakers: int = 10,
        has_predictions: bool = True,
        utterances: range = range(60),
        noise: int | None = None,
        maps: Mapping[str, str] = {},
        corpus: str = "",
    ) -> Path:
        run = tmp_path / "results" / place
        (run / "predictions").mkdir(parents=True)
        (run / "evaluation" / split).mkdir(parents=True)
        spec = {"name": name, "seed": seed, "labels": list(labels), "pooler": {"kind": pooler}}
        manifests = [{"path": f"/data/{corpus}/fold/{split}.jsonl", "label_map": dict(maps)}] if corpus else []
        spec |= {
            "data": {"fingerprint": "size", split: manifests},
            "text": {"kind": "syllable"},
            "fusion": {"kind": "xattn"},
        }
        (run / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
        (run / "provenance.json").write_text(json.dumps({"data": {"train": "t", "valid": "v"}}), encoding="utf-8")
        (run / "status.json").write_text(json.dumps({"best_epoch": 3, "outcome": "finished"}), encoding="utf-8")
        rows = list(
            _rows(labels, gain=gain, seed=seed if noise is None else noise, speakers=num_speakers, numbers=utterances)
        )
        for row in rows:
            row["label"] = maps.get(row["label"], row["label"])
        probabilities = np.array([list(row["probabilities"].values()) for row in rows])
        truth = np.array([list(labels).index(row["label"]) for row in rows])
        scores: dict[str, Any] = {"split": split, "data": data, "epoch": 3, "num_utterances": len(rows)}
        scores |= {
            **score(probabilities, truth, tuple(labels)).as_json(),
            "protocol": protocol,
            "audit": {"verdict": verdict},
        }
        scores |= {"intervals": {"macro_f1": {"low": 0.25, "high": 0.75}}}
        (run / "evaluation" / split / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
        if has_predictions:
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (run / "predictions" / f"{split}.jsonl").write_text(lines, encoding="utf-8")
        return run

    return write


def _rows(labels: Sequence[str], *, gain: float, seed: int, speakers: int, numbers: range) -> Sequence[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    rows = []
    for number in numbers:
        label = sorted(labels)[number % len(labels)]
        logits = generator.normal(size=len(labels))
        logits[list(labels).index(label)] += gain
        chances = np.exp(logits) / np.exp(logits).sum()
        rows.append(
            {
                "utterance_id": f"u{number:03d}",
                "speaker_id": f"s{number // 3 % speakers}",
                "label": label,
                "predicted": labels[int(chances.argmax())],
                "probabilities": dict(zip(labels, map(float, chances), strict=True)),
            }
        )
    return rows
