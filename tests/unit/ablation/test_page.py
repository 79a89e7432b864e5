"""The matrices of the documentation are valid, and its page states the fields as they are."""

import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from vietmer_core.ablation.matrix_spec import MatrixSpec, ResourcesSpec
from vietmer_core.cli.main import commands

Call = Callable[..., Any]
ROOT = Path(__file__).parents[3]
MATRICES = ROOT / "docs" / "ablations"
PAGE = (ROOT / "docs" / "ablations.md").read_text(encoding="utf-8")
SHARED = ROOT.parent / "shared"
FULL_SIZE = {"encoders": (24, 8), "fusion": (15, 3), "pooling": (25, 5), "sampling": (15, 3)}


def fields(heading: str) -> list[str]:
    """The names in the first column of the table under a heading."""
    table = PAGE.split(f"| {heading} |")[1].split("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def plan(path: Path) -> list[str]:
    from typer.testing import CliRunner

    result = CliRunner().invoke(commands, ["ablate", str(path), "--plan"])
    assert result.exit_code == 0, result.exception
    return str(result.stdout).splitlines()


@pytest.mark.parametrize("name", FULL_SIZE)
def test_the_matrices_of_full_size_are_valid_over_any_corpus(workplace: Path, name: str) -> None:
    for file in ("base.yaml", f"{name}.yaml"):
        shutil.copy(MATRICES / file, workplace)
    (workplace / "data").mkdir()
    for split in ("train", "valid", "test"):
        shutil.copy(workplace / f"{split}.jsonl", workplace / "data")
    cells, kinds = FULL_SIZE[name]
    assert plan(workplace / f"{name}.yaml")[0] == f"{cells} cells; {kinds} kinds, replicates aside"


def test_features_of_encoders_are_shared_between_cells(workplace: Path) -> None:
    for file in ("base.yaml", "encoders.yaml"):
        shutil.copy(MATRICES / file, workplace)
    (workplace / "data").mkdir()
    for split in ("train", "valid", "test"):
        shutil.copy(workplace / f"{split}.jsonl", workplace / "data")
    shared = [line for line in plan(workplace / "encoders.yaml") if line.startswith("features")]
    assert sorted(shared) == [
        "features computed once: audio: dual, for 6 cells",
        "features computed once: audio: wav2vec2, for 6 cells",
        "features computed once: audio: whisper, for 6 cells",
        "features computed once: text: phobert, for 12 cells",
        "features computed once: text: videberta, for 12 cells",
    ]


@pytest.mark.usefixtures("workplace")
def test_the_demo_is_valid_and_small() -> None:
    assert plan(MATRICES / "demo.yaml")[0] == "18 cells; 6 kinds, replicates aside"


@pytest.mark.skipif(
    not (SHARED / "data" / "paired_ravdess_vsmec").is_dir(), reason="needs the data beside the checkout"
)
def test_the_paired_matrix_is_valid(workplace: Path) -> None:
    shutil.copy(MATRICES / "paired.yaml", workplace)
    (workplace / "data").symlink_to(SHARED / "data")
    (workplace / "models").symlink_to(SHARED / "models")
    lines = plan(workplace / "paired.yaml")
    assert lines[0] == "135 cells; 45 kinds, replicates aside"
    assert "features computed once: audio: whisper, for 135 cells" in lines


@pytest.fixture(scope="module")
def noxfile() -> dict[str, Any]:
    pytest.importorskip("nox")
    return runpy.run_path(str(ROOT / "noxfile.py"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("matrix.yaml", "axes: {fusion: {field: fusion, values: [{kind: xattn, dim: 8}, late]}}", ["xattn", "late"]),
        ("matrix.toml", "[axes.fusion.levels]\nxattn = {}\n", ["xattn"]),
        ("matrix.yaml", "axes: {pooler: {field: pooler, values: [mean]}}", []),
        ("matrix.yaml", "axes: ", []),
    ],
)
def test_nox_knows_the_fusions_of_a_matrix(
    noxfile: dict[str, Any], tmp_path: Path, name: str, text: str, expected: list[str]
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert noxfile["fusions_of"](tmp_path / name) == expected
    assert noxfile["fusions_of"](tmp_path / "nowhere.yaml") == []


def test_the_page_states_every_field() -> None:
    assert fields("field") == list(MatrixSpec.model_fields)
    assert fields("field of `resources`") == list(ResourcesSpec.model_fields)


def test_the_example_of_the_page_is_a_matrix(workplace: Path) -> None:
    text = PAGE.split(":caption: matrix.yaml\n\n")[1].split("```")[0]
    (workplace / "matrix.yaml").write_text(text, encoding="utf-8")
    base = yaml.safe_load((workplace / "base.yaml").read_text(encoding="utf-8"))
    spec = {**base, "audio": {"kind": "fourier2vec", "dim": 8, "num_heads": 2}}
    (workplace / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    assert plan(workplace / "matrix.yaml")[0] == "10 cells, 2 excluded; 4 kinds, replicates aside"


def test_the_table_of_matrices_is_complete() -> None:
    listed = dict(re.findall(r"^\| `(\w+)\.yaml` \| (\d+) \|", PAGE, re.MULTILINE))
    assert set(listed) == {path.stem for path in MATRICES.glob("*.yaml")} - {"base"}
    assert {name: int(listed[name]) for name in FULL_SIZE} == {name: cells for name, (cells, _) in FULL_SIZE.items()}
