"""Run folders as `train` and `evaluate` leave them, from drawn predictions; nothing is trained."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from vietmer_core.evaluation.calibration import AbstainRule
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.scored_split import score_outcomes
from vietmer_core.evaluation.temperature import with_temperature
from vietmer_core.reporting import contents
from vietmer_core.reporting.drawing import Drawing, Picture

MakeRun = Callable[..., Path]
LABELS = ("angry", "happy", "neutral", "sad")
PROTOCOL = "speaker-disjoint, stratified by emotion, seed 0"


def outcomes(labels: Sequence[str], *, speakers: int, sharpness: float, draw: int) -> Outcomes:
    """Predictions of 24 utterances a speaker; the sharper, the more often they are right."""
    count = 24 * speakers
    truth = np.random.default_rng(7).integers(0, len(labels), size=count)
    logits = np.random.default_rng(draw).normal(size=(count, len(labels)))
    logits[np.arange(count), truth] += sharpness
    exponentials = np.exp(logits)
    return Outcomes(
        labels=tuple(labels),
        probabilities=exponentials / exponentials.sum(axis=1, keepdims=True),
        truth=truth,
        clusters=np.arange(count) % speakers,
    )


def epoch_record(epoch: int) -> dict[str, Any]:
    metrics = {"macro_f1": 0.4 + 0.1 * epoch, "loss": 1.2 - 0.1 * epoch}
    loss = 1.5 - 0.3 * epoch
    return {"record": "epoch", "epoch": epoch, "step": 5 * epoch + 5, "train_loss": loss, "valid_metrics": metrics}


def reliance_document(labels: Sequence[str], **changes: Any) -> dict[str, Any]:
    """What `vietmer reliance` writes, of one change of each form."""
    scores = dict.fromkeys(("macro_f1", "balanced_accuracy", "accuracy", "weighted_f1", "loss", "brier"), 0.6)
    interval = {"low": -0.3, "high": -0.1, "level": 0.95, "num_clusters": 6, "method": "jackknife-t", "too_few": False}

    def condition(name: str, group: str, modality: str, level: float | None, **measured: float) -> dict[str, Any]:
        return {
            "name": name,
            "group": group,
            "title": name.replace("-", " "),
            "modality": modality,
            "level": level,
            "draws": 1,
            "num_utterances": 144,
            "num_left_out": 0,
            "unchanged": scores,
            "kept": 0.5,
            "scores": dict.fromkeys(scores, 0.4125),
            "difference": dict.fromkeys(scores, -0.1875),
            "intervals": dict.fromkeys(scores, interval),
            "measured": measured,
        }

    share = {"num_utterances": 144, "drop": {}, "shapley": {}, "share": {"text": 0.375, "audio": 0.625}}
    return {
        "version": 1,
        "split": "test",
        "data": "fingerprint",
        "epoch": 2,
        "labels": list(labels),
        "temperature": None,
        "noise": "pink",
        "left_out": [{"group": "marks", "reason": "no transcript has any."}],
        "conditions": [
            condition("text-only", "removed", "audio", None),
            condition("noise-10", "noise", "audio", 10.0),
            condition("noise-0", "noise", "audio", 0.0),
            condition("g711_mulaw", "telephone", "audio", None),
            condition("words-20", "words", "text", 0.2, wer=0.21),
        ],
        "shares": {"mean": share, "by": {"label": dict.fromkeys(labels, share)}},
        **changes,
    }


DATA = {"fingerprint": "content", **{part: f"{part}.jsonl" for part in ("train", "valid", "test")}}


def _documents(evaluation: dict[str, Any], *, seed: int, epochs: int, split: str) -> dict[str, Any]:
    """The JSON files of a run, by name."""
    audit = {"verdict": "leak", "leaks": ["1 speaker is in train and test."], "cues": ["loudness tells."]}
    packages, data = {"torch": "2.9.0"}, {"train": "a" * 64, "valid": "b" * 64}
    scores = {"split": split, "data": "fingerprint", "epoch": 2, "num_unknown_speakers": 0}
    return {
        "provenance.json": {"seed": seed, "threads": 1, "packages": packages, "data": data, "components": []},
        "status.json": {"best_epoch": 2, "epoch": epochs, "epochs": epochs, "monitor": "macro_f1"},
        f"evaluation/{split}/scores.json": {**scores, "protocol": PROTOCOL, "audit": audit, **evaluation},
    }


def _predictions(found: Outcomes, *, labels: Sequence[str], speakers: int) -> list[dict[str, Any]]:
    """A row an utterance."""
    return [
        {
            "utterance_id": f"u{row:03d}",
            "speaker_id": f"s{row % speakers}",
            "label": labels[found.truth[row]],
            "predicted": labels[found.predicted[row]],
            "probabilities": dict(zip(labels, found.probabilities[row].tolist(), strict=True)),
        }
        for row in range(len(found))
    ]


def write_run(
    root: Path,
    folder: str,
    *,
    name: str = "tiny",
    seed: int = 0,
    labels: Sequence[str] = LABELS,
    speakers: int = 6,
    sharpness: float = 1.5,
    temperature: float | None = None,
    fields: Sequence[str] = ("female", "male"),
    epochs: int = 4,
    reliance: dict[str, Any] | None = None,
    scores: dict[str, Any] | None = None,
    split: str = "test",
) -> Path:
    """A run folder, evaluated on one split; the data that its spec names is gone."""
    own = outcomes(labels, speakers=speakers, sharpness=sharpness, draw=sum(map(ord, folder)))
    reported = own
    if temperature is not None:
        reported = own.with_probabilities(with_temperature(own.probabilities, temperature))
    rule = AbstainRule(threshold=0.5, coverage=0.8, risk=0.1, num_kept=10)
    scored = score_outcomes(
        reported,
        seed=0,
        fields={"gender": [fields[row % len(fields)] for row in range(len(own))]} if fields else {},
        uncalibrated=own,
        temperature=temperature,
        rule=None if temperature is None else rule,
    )
    evaluation = {**scored.as_json(), **(scores or {})}
    files = _documents(evaluation, seed=seed, epochs=epochs, split=split)
    if reliance is not None:
        files[f"evaluation/{split}/reliance.json"] = reliance
    path = root / folder
    rows = _predictions(reported, labels=labels, speakers=speakers)
    texts = {file: json.dumps(value, ensure_ascii=False) for file, value in files.items()}
    spec = {"name": name, "seed": seed, "labels": list(labels), "data": DATA, "head": {"hidden_dim": sharpness}}
    texts |= {
        "spec.yaml": yaml.safe_dump(spec),
        "metrics.jsonl": "".join(json.dumps(epoch_record(epoch)) + "\n" for epoch in range(epochs)),
        f"predictions/{split}.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
    }
    for file, text in texts.items():
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write run folders into a fresh folder."""
    return partial(write_run, tmp_path)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not drawn, which takes seconds."""

    def picture(drawing: Drawing, *, subject: str) -> Picture:
        text = f'<svg width="245pt"><title>{escape(subject)}</title></svg>'
        return Picture(drawing=drawing, svg=text.encode(), pdf=b"%PDF")

    monkeypatch.setattr(contents, "picture_of", picture)
