"""The id of a cell: what changes it, and what does not."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.ablation import code_version as code_module
from vietmer_core.ablation.code_version import NOT_IN_A_CELL, code_version, sources_digest
from vietmer_core.ablation.identity import cell_identity, digest_of
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.errors import DataProblemsError
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_document import SpecDocument
from vietmer_core.spec_loading import validate_document

Call = Callable[..., Any]

SPEC: dict[str, Any] = {
    "labels": ["angry", "sad"],
    "threads": 1,
    "data": {"train": "/data/train.jsonl", "valid": {"path": "/data/valid.jsonl", "label_map": {"mad": "angry"}}},
    "text": {"kind": "syllable", "dim": 8, "num_heads": 2},
    "fusion": {"kind": "text_only", "dim": 8},
    "pooler": {"kind": "attn", "num_heads": 2},
    "sampler": {"kind": "uniform", "batch_size": 4},
}
CHANGES: dict[str, tuple[list[str], Any]] = {
    "seed": (["seed"], 7),
    "threads": (["threads"], 2),
    "labels": (["labels"], ["sad", "angry"]),
    "pooler": (["pooler", "num_heads"], 4),
    "fusion": (["fusion", "dropout"], 0.3),
    "text": (["text", "max_tokens"], 20),
    "sampler": (["sampler", "batch_size"], 5),
    "loss": (["loss"], {"kind": "focal"}),
    "epochs": (["training", "epochs"], 3),
    "rate": (["training", "learning_rate"], 1e-3),
    "parts' rates": (["training", "learning_rates"], {"head": 1e-3}),
    "shapes": (["shapes", "training"], "canonical"),
    "label map": (["data", "valid", "label_map"], {"mad": None}),
    "augment": (["augment"], {"waveform": [{"kind": "gain", "probability": 0.5, "gain_db": [-3, 3]}]}),
    "cache": (["cache"], {"folder": "/cache", "dtype": "fp16"}),
}
LEAVES_IT: dict[str, tuple[list[str], Any]] = {
    "name": (["name"], "another"),
    "place of the data": (["data", "train"], "/elsewhere/train.jsonl"),
    "root of the audio": (["data", "train"], {"path": "/data/train.jsonl", "root": "/audio"}),
    "an encoder that is not read": (["audio"], "fourier2vec"),
    "trackers": (["trackers"], ["tensorboard"]),
}


def validated(values: dict[str, Any]) -> ExperimentSpec:
    document = SpecDocument(values=values, places={}, files=("spec.yaml",))
    return validate_document(document, catalogue=installed_catalogue())


def identity(values: dict[str, Any], **given: Any) -> str:
    known = {"data": {"train": "1f", "valid": "2e"}, "split": "valid", "code": {"core": "1"}, **given}
    return digest_of(cell_identity(validated(values), installed_catalogue(), **known))


def changed(steps: list[str], value: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(SPEC))
    inner = values
    for step in steps[:-1]:
        inner = inner.setdefault(step, {})
    inner[steps[-1]] = value
    return values


def shuffled(value: Any, generator: random.Random) -> Any:
    """The same mappings with their names in another order."""
    if isinstance(value, dict):
        names = generator.sample(list(value), len(value))
        return {name: shuffled(value[name], generator) for name in names}
    return [shuffled(inner, generator) for inner in value] if isinstance(value, list) else value


def test_the_order_of_names_does_not_count() -> None:
    plain = identity(SPEC)

    @given(seed=st.integers(0, 2**32))
    def holds(seed: int) -> None:
        text = yaml.safe_dump(shuffled(SPEC, random.Random(seed)), sort_keys=False)  # noqa: S311  # no secret
        assert identity(yaml.safe_load(text)) == plain

    holds()


@pytest.mark.parametrize("name", CHANGES)
def test_any_other_value_is_another_cell(name: str) -> None:
    assert identity(changed(*CHANGES[name])) != identity(SPEC)


@pytest.mark.parametrize("name", LEAVES_IT)
def test_what_changes_no_score_leaves_the_cell(name: str) -> None:
    assert identity(changed(*LEAVES_IT[name])) == identity(SPEC)


def test_every_pair_of_numbers_makes_two_cells() -> None:
    @given(values=st.lists(st.tuples(st.integers(0, 2**40), st.floats(1e-6, 1)), min_size=2, max_size=4, unique=True))
    def holds(values: list[tuple[int, float]]) -> None:
        specs = [{**SPEC, "seed": seed, "training": {"learning_rate": rate}} for seed, rate in values]
        assert len({identity(spec) for spec in specs}) == len(values)

    holds()


def test_data_split_and_code_are_part_of_it() -> None:
    ids = {
        identity(SPEC),
        identity(SPEC, data={"train": "1f", "valid": "3d"}),
        identity(SPEC, split="test"),
        identity(SPEC, code={"core": "2"}),
    }
    assert len(ids) == 4


def test_an_id_is_that_of_canonical_json() -> None:
    assert digest_of({"b": 1, "a": [1.5, None]}) == digest_of({"a": [1.5, None], "b": 1})
    assert len(digest_of({})) == 64
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_of({"a": float("nan")})


def test_a_matrix_that_is_moved_keeps_its_cells_and_other_data_makes_others(
    workplace: Path, write_matrix: Call, cells_of: Call
) -> None:
    before = [cell.id for cell in cells_of(write_matrix())]
    moved = workplace / "moved"
    moved.mkdir()
    for name in ("matrix.yaml", "base.yaml", "train.jsonl", "valid.jsonl", "test.jsonl"):
        shutil.copy(workplace / name, moved)
    assert [cell.id for cell in cells_of(moved / "matrix.yaml")] == before
    with (moved / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write((moved / "test.jsonl").read_text(encoding="utf-8").splitlines()[0].replace("_0", "_9") + "\n")
    assert not set(before) & {cell.id for cell in cells_of(moved / "matrix.yaml")}


def test_the_bytes_of_a_checkpoint_are_part_of_it_not_its_place(tmp_path: Path) -> None:
    def of(folder: Path) -> str:
        return identity({**SPEC, "text": {"kind": "phobert", "checkpoint": str(folder)}})

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    assert of(tmp_path / "one") == of(tmp_path / "two")
    (tmp_path / "two" / "model.safetensors").write_bytes(b"Weights")
    assert of(tmp_path / "one") != of(tmp_path / "two")


def test_a_checkpoint_that_is_not_there_is_a_sentence(workplace: Path, write_matrix: Call, cells_of: Call) -> None:
    path = write_matrix(set={"text": {"kind": "phobert", "checkpoint": "./nowhere"}})
    with pytest.raises(DataProblemsError) as caught:
        cells_of(path)
    (problem,) = caught.value.problems
    assert (
        str(problem) == f"`text.checkpoint`: `{workplace / 'nowhere'}` is no folder with files in it. Correct the path."
    )


def test_the_code_is_that_of_the_core_and_of_the_plugins_used() -> None:
    found = code_version(validated(SPEC), installed_catalogue())
    assert list(found["distributions"]) == [
        "vietmer-core",
        "vietmer-fusion-text-only",
        "vietmer-sampler-uniform",
        "vietmer-text-syllable",
    ]
    assert "torch" in found["libraries"]
    dual = code_version(validated({**SPEC, "fusion": "xattn", "audio": "dual"}), installed_catalogue())
    assert "vietmer-audio-wav2vec2" in dual["distributions"]  # which `dual` is made of


def test_an_edit_of_the_sources_is_other_code_where_a_cell_runs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_package"
    (package / "cli").mkdir(parents=True)
    (package / "__init__.py").write_text("a = 1\n", encoding="utf-8")
    (package / "cli" / "show.py").write_text("b = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = sources_digest("some_package", without=NOT_IN_A_CELL)
    (package / "cli" / "show.py").write_text("b = 2\n", encoding="utf-8")
    assert sources_digest("some_package", without=NOT_IN_A_CELL) == before
    assert sources_digest("some_package") != before
    (package / "__init__.py").write_text("a = 2\n", encoding="utf-8")
    assert sources_digest("some_package", without=NOT_IN_A_CELL) != before
    assert sources_digest("no_such_package") == ""


def test_the_folders_that_no_cell_runs_are_there() -> None:
    root = Path(code_module.__file__).parents[1]
    assert {name for name in NOT_IN_A_CELL if not (root / name).is_dir()} <= {"leaderboard"}
