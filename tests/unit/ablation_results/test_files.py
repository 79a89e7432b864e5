"""The files, the page and the pictures of a matrix, and the command that makes them."""

import csv
import json
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from vietmer_core.ablation.results import read_matrix
from vietmer_core.ablation_results.documents import group_rows
from vietmer_core.ablation_results.pictures import figures_of, heat_values
from vietmer_core.ablation_results.results import results
from vietmer_core.ablation_results.showing import narrow_tables
from vietmer_core.ablation_results.writing import write_results
from vietmer_core.cli.main import commands

WriteMatrix = Callable[..., Path]
PLAIN = {"fusion": ("xattn", "late"), "pooler": ("mean", "max")}


class Tags(HTMLParser):
    """The tags of a page, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_every_file_is_there_and_equal_results_have_equal_bytes(write_matrix: WriteMatrix, tmp_path: Path) -> None:
    found = results(write_matrix(PLAIN, seeds=("0", "1")))
    first, second = [write_results(found, tmp_path / name).parent for name in ("one", "two")]
    names = sorted(path.name for path in first.iterdir())
    pictures = [
        f"{name}.{kind}" for name in ("fusion-pooler", "groups", "levels", "ranks") for kind in ("pdf", "png", "svg")
    ]
    tables = ["cells.csv", "effects.csv", "groups.csv", "index.html", "levels.csv"]
    assert names == sorted([*pictures, *tables, "results.json", "results.md", "results.tex"])
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_the_csv_has_the_figures_of_the_results(write_matrix: WriteMatrix, tmp_path: Path) -> None:
    found = results(write_matrix())
    write_results(found, tmp_path / "tables", pictures=False)
    with (tmp_path / "tables" / "groups.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    for row, own in zip(rows, found.rows, strict=True):
        assert own.scores is not None
        assert float(row["macro_f1"]) == own.scores.scores["macro_f1"].mean
        assert (row["p_holm"] == "") == (own.pair is None)


def test_an_axis_may_have_the_name_of_a_figure(write_matrix: WriteMatrix, tmp_path: Path) -> None:
    axes = {"loss": ("plain", "focal"), "p": ("a", "b"), "loss_level": ("x",)}
    found = results(write_matrix(axes, seeds=("0", "1")))
    write_results(found, tmp_path / "tables", pictures=False)
    for name in ("groups", "cells"):
        with (tmp_path / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert {row["loss_level"] for row in rows} == {"plain", "focal"}
        assert {row["loss_level_level"] for row in rows} == {"x"}
        assert all(float(row["loss"]) > 0 for row in rows)
        assert next(iter(rows[0])) == "loss_level"
    assert {row["p_level"] for row in group_rows(found)} == {"a", "b"}
    groups, *_ = narrow_tables(found)
    assert groups.columns[:4] == ("loss", "p", "loss_level", "runs")
    assert "p" not in groups.columns[4:]
    assert all(len(row) == len(groups.columns) for row in groups.rows)


def test_the_page_loads_nothing_and_hostile_levels_are_text(write_matrix: WriteMatrix, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>|$x_1$"
    path = write_matrix(
        {"fusion": ("xattn", hostile)}, failure=lambda levels: "lost: <b>" if levels["seed"] == "2" else ""
    )
    page = write_results(results(path), tmp_path / "tables")
    tags = Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    assert "script" not in tags.names
    assert "b" not in tags.names
    assert all(address.startswith("data:image/svg+xml;base64,") for address in tags.addresses)
    assert len(tags.addresses) == 3
    assert "lost: &lt;b&gt;" in page.read_text(encoding="utf-8")
    counted = Tags()
    counted.feed(page.read_text(encoding="utf-8").replace("&lt;", "<").replace("&gt;", ">"))
    assert "script" in counted.names  # unescaped, it would be one
    latex = (tmp_path / "tables" / "results.tex").read_text(encoding="utf-8")
    assert r"\$x\_1\$" in latex


def test_the_page_fits_any_window_and_both_colour_schemes(write_matrix: WriteMatrix, tmp_path: Path) -> None:
    text = write_results(results(write_matrix()), tmp_path / "t", pictures=False).read_text(encoding="utf-8")
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert "default-src 'none'" in text


def test_a_heat_map_is_over_combinations_that_all_have(write_matrix: WriteMatrix) -> None:
    axes = {**PLAIN, "sampler": ("uniform", "weighted")}

    def failure(levels: Mapping[str, str]) -> str:
        lost = ("late", "max", "weighted")
        return "lost." if tuple(levels[axis] for axis in axes) == lost else ""

    found = results(write_matrix(axes, seeds=("0",), failure=failure))
    means = {tuple(row.levels.values()): row.scores.scores["macro_f1"].mean for row in found.rows if row.scores}
    values = heat_values(found, "fusion", "pooler")
    for row, fusion in enumerate(PLAIN["fusion"]):
        for column, pooler in enumerate(PLAIN["pooler"]):
            assert values[row, column] == means[fusion, pooler, "uniform"]
    assert heat_values(found, "fusion", "sampler")[1, 1] == means["late", "mean", "weighted"]


def test_a_pair_of_levels_without_a_score_is_empty_in_the_heat_map(write_matrix: WriteMatrix) -> None:
    found = results(
        write_matrix(PLAIN, seeds=("0",), failure=lambda levels: "lost." if levels["fusion"] == "late" else "")
    )
    assert np.isnan(heat_values(found, "fusion", "pooler")[1]).all()
    assert [name for name, _, _ in figures_of(found)][-1] == "fusion-pooler"


def test_the_command_prints_the_table_and_names_the_page(write_matrix: WriteMatrix, tmp_path: Path) -> None:
    path = write_matrix(num_speakers=4, seeds=("0", "1"))
    result = CliRunner().invoke(commands, ["ablation", "table", str(path), "--no-pictures"], env={"COLUMNS": "150"})
    assert result.exit_code == 0, result.output
    assert "6 groups (2 fusion × 3 pooler)" in result.output
    assert "split protocol: speaker-disjoint, stratified by emotion, seed 0" in result.output
    assert "audit of leaks: clean" in result.output
    assert re.search(r"4 speakers are few", result.output)
    assert (path / "tables" / "index.html").is_file()
    arguments = ["ablation", "table", str(path), "--no-pictures", "--to", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(commands, [*arguments, "--metric", "loss"])
    assert json.loads(result.output)["metric"] == "loss"
    assert (tmp_path / "out" / "results.md").is_file()


def test_the_command_refuses_another_metric_and_tells_of_no_matrix(tmp_path: Path) -> None:
    assert CliRunner().invoke(commands, ["ablation", "table", str(tmp_path), "--metric", "f1"]).exit_code == 2
    result = CliRunner().invoke(commands, ["ablation", "table", str(tmp_path)])
    assert "holds no matrix" in str(result.exception)


@pytest.mark.parametrize("status", ["pending", "it was lost."])
def test_a_matrix_without_a_score_is_written_all_the_same(write_matrix: WriteMatrix, status: str) -> None:
    path = write_matrix(PLAIN, failure=lambda levels: status if levels else "")
    result = CliRunner().invoke(commands, ["ablation", "table", str(path)])
    assert result.exit_code == 0, result.output
    assert "No cell has a score yet." in result.output
    assert (path / "tables" / "results.json").is_file()
    assert len(read_matrix(path).cells) == 12
