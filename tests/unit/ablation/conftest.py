"""A matrix of tiny experiments on text alone, and its cells."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.ablation.searches import HereExecutor
from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.expansion import expand
from vietmer_core.ablation.matrix import Matrix, load_matrix
from vietmer_core.ablation.search import running
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.errors import ProblemsError

WORDS = {"angry": "tôi rất bực mình", "sad": "tôi buồn lắm"}

BASE: dict[str, Any] = {
    "labels": ["angry", "sad"],
    "threads": 1,
    "data": {split: f"{split}.jsonl" for split in ("train", "valid", "test")},
    "text": {"kind": "syllable", "dim": 8, "num_layers": 0, "num_heads": 2},
    "fusion": {"kind": "text_only", "dim": 8},
    "pooler": "mean",
    "head": {"hidden_dims": [8]},
    "sampler": {"kind": "uniform", "batch_size": 4},
    "training": {"epochs": 2, "learning_rate": 0.01, "device": "cpu"},
}
MATRIX: dict[str, Any] = {
    "name": "tiny",
    "base": "base.yaml",
    "axes": {
        "pooler": {"field": "pooler", "values": ["mean", "max"]},
        "loss": {"levels": {"plain": {}, "focal": {"loss": {"kind": "focal", "gamma": 2.0}}}},
    },
    "replicates": {"seed": {"field": "seed", "values": [0, 1]}},
}

WriteMatrix = Callable[..., Path]
Cells = Callable[..., tuple[Cell, ...]]
Problems = Callable[..., list[str]]


def write_manifests(folder: Path) -> None:
    """Sentences of two emotions, by speakers that no two splits share."""
    for split in ("train", "valid", "test"):
        rows = [
            {
                "utterance_id": f"{split}_{number}",
                "speaker_id": f"{split}_speaker_{number % 2}",
                "wav_path": None,
                "start": None,
                "end": None,
                "transcript": f"{split} {WORDS[label]}" + " ạ" * (number % 3),
                "emotion": label,
            }
            for number, label in enumerate(list(WORDS) * (4 if split == "train" else 2))
        ]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")


def write_yaml(path: Path, value: object) -> Path:
    path.write_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with manifests and `base.yaml`."""
    write_manifests(tmp_path)
    write_yaml(tmp_path / "base.yaml", BASE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_matrix(workplace: Path) -> WriteMatrix:
    """Write `matrix.yaml` with other fields."""

    def write(**changes: Any) -> Path:
        return write_yaml(workplace / "matrix.yaml", {**MATRIX, **changes})

    return write


@pytest.fixture
def cells_of() -> Cells:
    """The cells of a matrix file."""

    def read(path: Path, overrides: Sequence[str] = (), **options: Any) -> tuple[Cell, ...]:
        return expand(loaded(path, overrides), catalogue=installed_catalogue(), **options).cells

    return read


def loaded(path: Path, overrides: Sequence[str] = ()) -> Matrix:
    return load_matrix(path, overrides, catalogue=installed_catalogue())


@pytest.fixture
def problems_of(workplace: Path, write_matrix: WriteMatrix, cells_of: Cells) -> Problems:
    """What is wrong with a matrix, as its author sees it: its own YAML text, or MATRIX with other fields."""

    def read(text: str = "", **changes: Any) -> list[str]:
        path = workplace / "matrix.yaml"
        if text:
            path.write_text(text, encoding="utf-8")
        else:
            write_matrix(**changes)
        with pytest.raises(ProblemsError) as caught:
            cells_of(Path("matrix.yaml"))
        return [str(problem) for problem in caught.value.problems]

    return read


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials of a search run in this process."""
    monkeypatch.setattr(running, "build_executor", lambda _params, _catalogue: HereExecutor())
