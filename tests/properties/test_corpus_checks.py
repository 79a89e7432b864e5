"""The checks of corpora catch manifests that cannot be used."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vietmer_core.components import Component, Role
from vietmer_core.testing import failing_checks
from vietmer_core.testing.leaky.parts import LeakyParams

ROW = {
    "utterance_id": "a",
    "speaker_id": "s",
    "wav_path": "a.wav",
    "start": 0.0,
    "end": 0.5,
    "transcript": "vâng ạ",
}
CHECKS = ("corpus_manifest", "corpus_audio", "corpus_licence")


def _corpus(folder: Path, rows: Sequence[Mapping[str, Any]], *, licence: str | None = "CC0-1.0") -> Component:
    soundfile.write(folder / "a.wav", np.zeros(16_000, np.float32), 16_000)
    manifest = folder / "train.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Component(
        role=Role.CORPUS,
        params=LeakyParams,
        build=lambda _params: manifest,
        summary="A corpus of the test.",
        licence="Apache-2.0",
        data_licence=licence,
    )


def test_a_good_corpus_passes(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "utterance_id": "b", "wav_path": None}, {**ROW, "utterance_id": "c", "end": None}]
    assert failing_checks(_corpus(tmp_path, rows), names=CHECKS) == {}


@pytest.mark.parametrize(
    ("rows", "check", "sentence"),
    [
        ([], "corpus_manifest", "train.jsonl has no row"),
        ([{"utterance_id": "a"}], "corpus_manifest", "train.jsonl:1 lacks speaker_id, wav_path"),
        ([ROW, ROW], "corpus_manifest", "train.jsonl:2 repeats id 'a'"),
        ([{**ROW, "wav_path": "b.wav"}], "corpus_audio", "train.jsonl:1: b.wav is not a file"),
        ([{**ROW, "end": 2.0}], "corpus_audio", "names 0.0 s to 2.0 s of 1.000 s"),
        ([{**ROW, "start": 0.5}], "corpus_audio", "names 0.5 s to 0.5 s of 1.000 s"),
        ([{**ROW, "wav_path": None, "transcript": " "}], "corpus_audio", "neither audio nor a transcript"),
    ],
)
def test_a_bad_corpus_is_caught(tmp_path: Path, rows: Sequence[Mapping[str, Any]], check: str, sentence: str) -> None:
    assert sentence in failing_checks(_corpus(tmp_path, rows), names=[check])[check]


def test_a_corpus_without_a_licence_is_caught(tmp_path: Path) -> None:
    assert "data_licence" in failing_checks(_corpus(tmp_path, [ROW], licence=None), names=CHECKS)["corpus_licence"]
