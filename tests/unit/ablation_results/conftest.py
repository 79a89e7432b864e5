"""Synthetic matrices in the layout that `vietmer ablate` leaves."""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vietmer_core.evaluation.metrics import score

LABELS = ("angry", "happy", "neutral", "sad")
AXES = {"fusion": ("xattn", "late"), "pooler": ("mean", "max", "attn")}
PROTOCOL = "speaker-disjoint, stratified by emotion, seed 0"

Levels = Mapping[str, str]
WriteMatrix = Callable[..., Path]


def no_effect(levels: Levels) -> float:
    del levels
    return 0.0


def no_failure(levels: Levels) -> str:
    del levels
    return ""


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_finished(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    cell: str,
    data: str = "d" * 64,
    protocol: str | None = PROTOCOL,
    audit: str = "clean",
) -> None:
    """A finished cell with these predictions."""
    labels = tuple(rows[0]["probabilities"])
    probabilities = np.array([list(row["probabilities"].values()) for row in rows])
    truth = np.array([labels.index(row["label"]) for row in rows])
    scores = score(probabilities, truth, labels).summary
    run = folder / "run"
    (run / "predictions").mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (run / "predictions" / "test.jsonl").write_text(lines, encoding="utf-8")
    facts = {"split": "test", "data": data, "epoch": 1, "num_utterances": len(rows), "protocol": protocol}
    write_json(run / "evaluation" / "test" / "scores.json", {**facts, **scores, "audit": {"verdict": audit}})
    outcome = {"version": 1, "id": cell, "status": "finished", "split": "test", "scores": scores}
    outcome |= {"num_utterances": len(rows), "protocol": protocol, "audit": audit, "seconds": {"total": 1.5}}
    write_json(folder / "outcome.json", outcome)


def prediction_rows(
    generator: np.random.Generator,
    truth: Sequence[int],
    *,
    gain: float,
    names: Sequence[str],
    speakers: Sequence[str | None],
    own: Sequence[float],
) -> list[dict[str, Any]]:
    """Predictions that are right the more often, the larger the gain and what is added for the speaker."""
    logits = generator.normal(size=(len(truth), len(LABELS)))
    logits[np.arange(len(truth)), truth] += gain + np.asarray(own)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return [
        {
            "utterance_id": names[index],
            "speaker_id": speakers[index],
            "label": LABELS[truth[index]],
            "predicted": LABELS[int(row.argmax())],
            "probabilities": dict(zip(LABELS, map(float, row), strict=True)),
        }
        for index, row in enumerate(probabilities)
    ]


@pytest.fixture
def write_matrix(tmp_path: Path) -> WriteMatrix:
    """Write a matrix folder."""

    def write(
        axes: Mapping[str, Sequence[str]] = AXES,
        seeds: Sequence[str] = ("0", "1", "2"),
        folds: Sequence[str] = (),
        *,
        num_speakers: int = 6,
        num_utterances: int = 96,
        effect: Callable[[Levels], float] = no_effect,
        failure: Callable[[Levels], str] = no_failure,
        name: str = "small",
        **facts: Any,
    ) -> Path:
        generator = np.random.default_rng(7)
        replicates = {"seed": tuple(seeds), **({"fold": tuple(folds)} if folds else {})}
        truth = generator.integers(len(LABELS), size=num_utterances)
        skill = generator.normal(0, 0.4, size=num_speakers)
        parts = max(1, len(folds))
        cells = []
        for levels in (dict(zip([*axes, *replicates], one, strict=True)) for one in _all(axes, replicates)):
            cell = hashlib.sha256(repr(sorted(levels.items())).encode()).hexdigest()
            folder = tmp_path / name / "cells" / cell[:16]
            cells.append({"id": cell, "levels": levels, "folder": f"cells/{cell[:16]}"})
            why = failure(levels)
            if why == "pending":
                continue
            if why:
                write_json(folder / "outcome.json", {"id": cell, "status": "failed", "reason": why, "error": "Error"})
                continue
            fold = folds.index(levels["fold"]) if folds else 0
            rows = [row for row in range(num_utterances) if row % parts == fold]
            voices = [row // parts % num_speakers for row in rows]
            found = prediction_rows(
                generator,
                [int(truth[row]) for row in rows],
                gain=0.8 + effect(levels),
                names=[f"utterance_{row:03d}" for row in rows],
                speakers=[f"speaker_{voice}" for voice in voices],
                own=[float(skill[voice]) for voice in voices],
            )
            write_finished(folder, found, cell=cell, **facts)
        document = {
            "version": 1,
            "name": name,
            "axes": {axis: list(levels) for axis, levels in axes.items()},
            "replicates": {axis: list(levels) for axis, levels in replicates.items()},
            "reference": {axis: levels[0] for axis, levels in axes.items()},
            "split": "test",
            "cells": cells,
        }
        write_json(tmp_path / name / "matrix.json", document)
        return tmp_path / name

    return write


def _all(axes: Mapping[str, Sequence[str]], replicates: Mapping[str, Sequence[str]]) -> Sequence[tuple[str, ...]]:
    return list(itertools.product(*axes.values(), *replicates.values()))
