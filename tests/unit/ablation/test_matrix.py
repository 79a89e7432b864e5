"""Expanding a matrix, selecting from it, and every error in it at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from vietmer_core.ablation.executor import Resources
from vietmer_core.ablation.expansion import expand, reference_of
from vietmer_core.ablation.matrix import load_matrix
from vietmer_core.ablation.selection import chosen_cells
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.errors import EXIT_DATA, EXIT_USAGE, DataProblemsError, SpecError

Call = Callable[..., Any]


def test_every_combination_is_a_cell_in_the_order_of_the_axes(write_matrix: Call, cells_of: Call) -> None:
    cells = cells_of(write_matrix())
    assert len(cells) == 8
    assert [cell.title for cell in cells[:3]] == [
        "pooler=mean, loss=plain, seed=0",
        "pooler=mean, loss=plain, seed=1",
        "pooler=mean, loss=focal, seed=0",
    ]
    assert cells[0].kind == "pooler=mean, loss=plain"
    assert len({cell.id for cell in cells}) == 8


def test_levels_are_laid_over_the_base_and_set_over_it(write_matrix: Call, cells_of: Call) -> None:
    first, *_, last = cells_of(write_matrix(set={"training": {"epochs": 5}}), ["training.patience=3"])
    assert (first.spec.kind("pooler"), last.spec.kind("pooler")) == ("mean", "max")
    assert (first.spec.kind("loss"), last.spec.kind("loss")) == ("cross_entropy", "focal")
    assert (first.spec.seed, last.spec.seed) == (0, 1)
    assert {first.spec.training.epochs, last.spec.training.epochs} == {5}
    assert last.spec.training.patience == 3  # `--set`, over all


def test_a_level_may_change_one_field_of_a_component(write_matrix: Call, cells_of: Call) -> None:
    axes = {"width": {"field": "fusion.dim", "values": [8, 16]}}
    cells = cells_of(write_matrix(axes=axes))
    assert [cell.spec.resolved()["fusion"]["dim"] for cell in cells] == [8, 8, 16, 16]
    assert cells[0].levels == {"width": "8", "seed": "0"}


def test_paths_of_the_matrix_are_relative_to_its_file(
    workplace: Path, write_matrix: Call, cells_of: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_matrix(axes={"data": {"levels": {"one": {"data": {"valid": "valid.jsonl"}}}}})
    (workplace / "elsewhere").mkdir()
    monkeypatch.chdir(workplace / "elsewhere")
    cells = cells_of(Path("../matrix.yaml"))
    assert cells[0].spec.data.valid[0].path == workplace / "valid.jsonl"


def test_the_whole_spec_may_stand_in_the_matrix(workplace: Path, write_matrix: Call, cells_of: Call) -> None:
    base = yaml.safe_load((workplace / "base.yaml").read_text(encoding="utf-8"))
    apart = {cell.id for cell in cells_of(write_matrix())}
    assert {cell.id for cell in cells_of(write_matrix(base=[], set=base))} == apart


def test_cells_can_be_left_out_and_the_rest_keeps_its_ids(write_matrix: Call, cells_of: Call) -> None:
    whole = cells_of(write_matrix())
    some = cells_of(write_matrix(exclude=[{"pooler": "max", "loss": ["focal"]}, {"seed": 1, "pooler": "max"}]))
    assert [cell.title for cell in some if cell.levels["pooler"] == "max"] == ["pooler=max, loss=plain, seed=0"]
    assert {cell.id for cell in some} <= {cell.id for cell in whole}


def test_the_reference_is_the_first_level_unless_it_is_named(write_matrix: Call) -> None:
    matrix = load_matrix(write_matrix(reference={"loss": "focal"}), catalogue=installed_catalogue())
    assert reference_of(matrix) == {"pooler": "mean", "loss": "focal"}


@pytest.mark.parametrize(
    ("only", "groups", "expected"),
    [
        (["pooler=mean"], [], 4),
        (["pooler=mean,max"], [], 8),
        (["pooler=mean", "loss=focal"], [], 2),
        (["pooler=mean,loss=focal,seed=0"], [], 1),
        ([], ["quick"], 3),
        (["seed=1"], ["quick"], 1),
    ],
)
def test_selecting(write_matrix: Call, only: list[str], groups: list[str], expected: int) -> None:
    quick = [{"pooler": "mean", "loss": "plain"}, {"pooler": "max", "loss": "plain", "seed": 0}]
    matrix = load_matrix(write_matrix(groups={"quick": quick}), catalogue=installed_catalogue())
    cells = expand(matrix, catalogue=installed_catalogue()).cells
    assert len(chosen_cells(matrix.spec, cells, only=only, groups=groups)) == expected


@pytest.mark.parametrize(
    ("only", "groups", "message"),
    [
        (["poler=mean"], [], "--only poler=mean: `poler`: there is no such axis; did you mean `pooler`?"),
        (["pooler=men"], [], "--only pooler=men: `pooler` has no level `men`; did you mean `mean`?"),
        (["mean"], [], "must have the form `AXIS=LEVEL,…`"),
        (["pooler="], [], "must have the form `AXIS=LEVEL,…`"),
        ([], ["slow"], "--group slow: there is no such group; there are: quick."),
        (["pooler=max"], ["quick"], "no cell of the matrix is meant by all of them."),
    ],
)
def test_a_selection_that_cannot_be(write_matrix: Call, only: list[str], groups: list[str], message: str) -> None:
    matrix = load_matrix(write_matrix(groups={"quick": {"pooler": "mean"}}), catalogue=installed_catalogue())
    cells = expand(matrix, catalogue=installed_catalogue()).cells
    with pytest.raises(SpecError) as caught:
        chosen_cells(matrix.spec, cells, only=only, groups=groups)
    assert message in str(caught.value)


def test_every_error_of_the_matrix_is_told_at_once_with_its_line(problems_of: Call) -> None:
    text = """\
name: a matrix
bas: base.yaml
axes:
  pooler: {field: pooler, values: [mean, mean]}
  loss: {levels: {a b: {}}}
  nothing: {}
replicates:
  seed: {field: seed, value: [0]}
exclude: {pooler: mean, seed: [0, {a: b}]}
resources: {memory: 3, cpus: 0, cpu: 1}
executor: {kind: local, jbs: 1}
"""
    found = problems_of(text)
    assert found == [
        (
            "matrix.yaml:1: name: must begin with a letter or a digit and hold only letters without accents, digits, "
            "`.`, `_` and `-`, but is `a matrix` instead."
        ),
        "matrix.yaml:2: bas: there is no such field; did you mean `base`?",
        (
            "matrix.yaml:4: axes.pooler.values.1: is named `mean`, as an earlier one. "
            "Write `levels:` with a name for each."
        ),
        (
            'matrix.yaml:5: axes.loss.levels."a b": its name must hold no blank, comma, backtick or `=`, but is `a b` '
            "instead."
        ),
        "matrix.yaml:6: axes.nothing: must have a `field` and its `values`, or `levels`, exactly one of these.",
        "matrix.yaml:8: replicates.seed.value: there is no such field; did you mean `values`?",
        'matrix.yaml:9: exclude.seed.1: must be text, but is {"a": "b"} instead.',
        "matrix.yaml:10: resources.cpus: must be at least 1, but is 0 instead.",
        "matrix.yaml:10: resources.memory: must be a size such as `2GiB` or `500MB`, but is 3 instead.",
        "matrix.yaml:10: resources.cpu: there is no such field; did you mean `cpus`?",
        "matrix.yaml:11: executor.jbs: there is no such field; did you mean `jobs`?",
    ]


@pytest.mark.parametrize("field", [".", '""'])
def test_a_field_without_a_name_is_an_error(problems_of: Call, field: str) -> None:
    (found,) = problems_of(axes={"pooler": {"field": field, "values": ["mean", "max"]}})
    assert found.endswith(f"axes.pooler.field: must name a field, such as `fusion.dim`, but is `{field}` instead.")


def test_names_that_there_are_not_are_told_at_once(problems_of: Call) -> None:
    found = problems_of(
        exclude=[{"poler": "mean"}],
        groups={"quick": {"pooler": ["mean", "maxx"]}},
        reference={"seed": 0},
        resources=[{"only": {"loss": "plane"}}],
    )
    assert len(found) == 4
    assert any("exclude.0.poler: there is no such axis; did you mean `pooler`?" in problem for problem in found)
    assert any("groups.quick.pooler: `pooler` has no level `maxx`; did you mean `max`?" in problem for problem in found)
    assert any("reference.seed: there is no such axis; there are: pooler, loss." in problem for problem in found)
    assert any("resources.0.only.loss: `loss` has no level `plane`; did you mean `plain`?" in p for p in found)


def test_every_error_of_every_cell_is_told_once_with_the_cells_that_have_it(problems_of: Call) -> None:
    text = """\
name: tiny
base: base.yaml
set:
  training: {epoch: 3}
axes:
  pooler: {field: pooler, values: [mean, average]}
  loss:
    levels:
      plain: {}
      focal: {loss: {kind: focal, gama: 2}}
  batch: {field: sampler.batch_size, values: [4, 0]}
"""
    assert problems_of(text) == [
        "matrix.yaml:4: training.epoch: there is no such field; did you mean `epochs`?",
        "matrix.yaml:11: sampler.batch_size: must be at least 1, but is 0 instead. (in 4 of 8 cells, `batch=0`)",
        "matrix.yaml:10: loss.gama: there is no such field; did you mean `gamma`? (in 4 of 8 cells, `loss=focal`)",
        (
            "matrix.yaml:6: pooler.kind: no installed distribution offers `pooler: average`; installed: attn, cls, "
            "max, mean, min. (in 4 of 8 cells, `pooler=average`)"
        ),
    ]


def test_errors_of_the_base_stand_at_its_own_line(workplace: Path, problems_of: Call) -> None:
    base = (workplace / "base.yaml").read_text(encoding="utf-8")
    (workplace / "base.yaml").write_text(f"labls: [a]\n{base}", encoding="utf-8")
    assert problems_of() == ["base.yaml:1: labls: there is no such field; did you mean `labels`?"]


def test_a_base_that_is_not_there_is_a_sentence(problems_of: Call) -> None:
    assert problems_of(base="more.yaml") == ["matrix.yaml:2: base: there is no file `more.yaml`."]
    assert problems_of(base=["base.yaml", "more.yaml"]) == ["matrix.yaml:4: base: there is no file `more.yaml`."]


def test_cells_that_are_the_same_experiment_are_named(problems_of: Call) -> None:
    (found,) = problems_of(
        axes={"pooler": {"levels": {"mean": {}, "average": {"pooler": "mean"}, "max": {"pooler": "max"}}}},
        replicates={},
    )
    assert found == "matrix.yaml: `pooler=average` is the same experiment as `pooler=mean`. Leave one out by `exclude`."


def test_an_encoder_that_is_not_read_makes_no_experiment_of_its_own(problems_of: Call) -> None:
    (found,) = problems_of(axes={"audio": {"levels": {"none": {}, "some": {"audio": "fourier2vec"}}}}, replicates={})
    assert "`audio=some` is the same experiment as `audio=none`." in found


def test_a_reference_that_is_left_out_is_an_error(problems_of: Call) -> None:
    (found,) = problems_of(exclude={"pooler": "mean", "loss": "plain"})
    assert "is `pooler=mean, loss=plain`, which `exclude` leaves out." in found


def test_far_too_many_cells_are_refused_unless_they_are_meant(write_matrix: Call, cells_of: Call) -> None:
    path = write_matrix(replicates={"seed": {"field": "seed", "values": list(range(251))}})
    with pytest.raises(
        SpecError, match=r"has 1,004 cells \(2 pooler × 2 loss × 251 seed\), more than 1,000."
    ) as caught:
        cells_of(path)
    assert caught.value.exit_code == EXIT_USAGE


def test_faults_of_the_data_are_told_before_anything_runs(workplace: Path, write_matrix: Call, cells_of: Call) -> None:
    rows = (workplace / "test.jsonl").read_text(encoding="utf-8").replace("sad", "bored", 1)
    (workplace / "test.jsonl").write_text(rows, encoding="utf-8")
    (workplace / "valid.jsonl").unlink()
    with pytest.raises(DataProblemsError) as caught:
        cells_of(write_matrix())
    assert caught.value.exit_code == EXIT_DATA
    assert len(caught.value.problems) == 2
    assert "cells" not in str(caught.value.problems[0])  # all have it


def test_a_split_that_the_spec_lacks_is_an_error(problems_of: Call) -> None:
    (found,) = problems_of(set={"data": {"test": None}})
    assert found == "matrix.yaml: split: the cells are scored on the split `test`, but the spec has none."


def test_resources_by_cell(workplace: Path, write_matrix: Call, cells_of: Call) -> None:
    base = (workplace / "base.yaml").read_text(encoding="utf-8").replace("threads: 1\n", "")
    (workplace / "base.yaml").write_text(base, encoding="utf-8")
    entries = [
        {"memory": "2GiB", "minutes": 5},
        {"only": {"pooler": "max"}, "cpus": 3, "gpus": 0.5, "memory": "500MB"},
    ]
    cells = cells_of(write_matrix(resources=entries))
    small, large = cells[0], cells[-1]
    assert small.resources == Resources(cpus=1, gpus=0, memory_bytes=2 * 2**30, minutes=5)
    assert large.resources == Resources(cpus=3, gpus=0.5, memory_bytes=500_000_000, minutes=5)
    assert (small.spec.threads, large.spec.threads) == (1, 3)  # where the spec names none


def test_fewer_cores_than_threads_are_an_error(problems_of: Call) -> None:
    (found,) = problems_of(resources={"cpus": 1}, set={"threads": 2})
    assert "resources" in found
    assert "must be at least `threads` of the spec, 2." in found
