"""A search: its trials are cells on the validation split, run once, the same ones however often it is cut off."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.unit.ablation.searches import SEARCH, VALUES, loaded, write_search
from vietmer_core.ablation.executor import Resources
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.cli.main import commands
from vietmer_core.components import Role
from vietmer_core.errors import SpecError
from vietmer_core.spec_files import read_documents
from vietmer_core.spec_loading import validate_document

pytestmark = pytest.mark.skipif(
    "optuna" not in installed_catalogue().kinds(Role.SEARCH), reason="vietmer-search-optuna is not installed"
)


def search(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["search", "search.yaml", *arguments])


def trials(folder: Path) -> list[dict[str, Any]]:
    found = json.loads((folder / "searches" / "tiny" / "trials.json").read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = found["trials"]
    return rows


def attempts(folder: Path) -> dict[str, int]:
    found = (folder / "searches" / "tiny" / "cells").glob("*/attempts.jsonl")
    return {path.parent.name: len(path.read_text(encoding="utf-8").splitlines()) for path in found}


@pytest.mark.usefixtures("here")
def test_trials_run_once_on_the_validation_split_and_the_best_is_ready_to_train(workplace: Path) -> None:
    (workplace / "test.jsonl").write_text("nobody may read this\n", encoding="utf-8")
    write_search(workplace)
    done = search()
    assert done.exit_code == 0, done.output
    rows = trials(workplace)
    assert [row["number"] for row in rows] == list(range(5))
    finished = [row for row in rows if row["state"] == "finished"]
    best = max(finished, key=lambda row: (row["score"], -row["number"]))
    assert f"best: trial {best['number']}: " in done.output
    cell = json.loads((workplace / "searches/tiny" / best["folder"] / "cell.json").read_text(encoding="utf-8"))
    assert cell["spec"]["data"]["test"] is None
    assert cell["split"] == "valid"
    document = read_documents([workplace / "searches/tiny/best.yaml"])
    spec = validate_document(document, catalogue=installed_catalogue())
    assert spec.training.learning_rate == best["values"]["rate"]
    assert spec.data.test is not None
    again = search()
    assert again.exit_code == 0
    assert trials(workplace) == rows
    assert set(attempts(workplace).values()) == {1}


@pytest.mark.usefixtures("here")
def test_more_trials_are_added_and_another_space_is_refused(workplace: Path) -> None:
    write_search(workplace, trials=2)
    assert search().exit_code == 0
    before = trials(workplace)
    write_search(workplace, trials=3)
    assert search().exit_code == 0
    assert trials(workplace)[:2] == before
    assert "holds a search with another `base`" in str(search("--set", "training.epochs=1").exception)
    write_search(workplace, axes={"dim": SEARCH["axes"]["dim"]})
    refused = search()
    assert "holds a search with another `axes`. Give this one another `name`" in str(refused.exception)


@pytest.mark.usefixtures("here")
def test_values_that_do_not_go_together_fail_their_trial_alone(workplace: Path) -> None:
    """Heads must divide the width: each level is valid over the base, some pairs are not."""
    levels = {str(heads): {"pooler": {"kind": "attn", "num_heads": heads}, "fusion": {"dim": 12}} for heads in (1, 3)}
    axes = {"heads": {"levels": levels}, "dim": {"field": "fusion.dim", "values": [12, 8]}}
    write_search(workplace, axes=axes, trials=6)
    done = search()
    assert done.exit_code == 0, done.output
    states = {(row["values"]["heads"], row["values"]["dim"]): row["state"] for row in trials(workplace)}
    assert states.get(("3", "12"), "finished") in ("finished", "pruned")
    assert states.get(("3", "8"), "failed") == "failed"
    assert set(states.values()) & {"finished", "pruned"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"axes": {"rate": {"field": "training.learning_rate", "low": 0.1, "high": 0.01}}}, "must be above `low`, 0.1"),
        ({"axes": {"rate": {"field": "training.learning_rate", "low": 0, "high": 1, "log": True}}}, "`low` above 0"),
        ({"axes": {"rate": {"field": "training.learning_rate", "low": 0.1}}}, "`field` with `low` and `high`"),
        ({"axes": {"dim": {"field": "fusion.dim", "low": 4, "high": 8, "step": 0.5}}}, "must be a whole number"),
        ({"axes": {"dim": {"field": "fusion.dim", "values": [4], "log": True}}}, "which go with `low` and `high`"),
        ({"axes": {"rate": {"field": "training.learning_rat", "low": 0.1, "high": 1.0}}}, "learning_rat"),
        ({"axes": {"rate": {"field": "training.learning_rate", "low": -1.0, "high": 1.0}}}, "must be more than 0"),
        (
            {"axes": {"rate": {"field": "training.learning_rate", "low": "a", "high": True}}},
            'axes.rate.low: must be a number, but is "a" instead.',
        ),
        (
            {"axes": {"rate": {"field": "training.learning_rate", "low": 0.1, "high": 10**400}}},
            "axes.rate.high: must be a finite number, of at most 1.8e308.",
        ),
        ({"axes": {"rate": {"field": ".", "low": 0.1, "high": 1.0}}}, "axes.rate.field: must name a field, such as"),
        ({"base": "more.yaml"}, "search.yaml:2: base: there is no file `more.yaml`."),
        ({"search": {"kind": "optuno"}}, "Did you mean `optuna`?"),
        ({"search": {"kind": "optuna", "sead": 1}}, "search.sead: there is no such field; did you mean `seed`?"),
        ({"trails": 3}, "search.yaml:33: trails: there is no such field; did you mean `trials`?"),
        (
            {"axes": {"dim": {"field": "fusion.dim", "lo": 4}}},
            "axes.dim.lo: there is no such field; did you mean `low`?",
        ),
        ({"set": {"training": {"epoch": 3}}}, "search.yaml:35: training.epoch: there is no such field"),
        (
            {"resources": {"only": {"poler": "mean"}}},
            "resources.only.poler: there is no such axis; did you mean `pooler`?",
        ),
        (
            {"resources": {"only": {"dim": 8}}},
            "`dim` has no level `8`; there are none, since it is given by its bounds.",
        ),
        ({"axes": {"data": {"levels": {"a": {"data": {"test": "valid.jsonl"}}}}}}, "which a search never reads"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    workplace: Path, changes: dict[str, Any], sentence: str, here: None
) -> None:
    del here
    write_search(workplace, **changes)
    refused = search()
    said = f"{refused.exception} {refused.output}"
    assert sentence in said
    assert isinstance(refused.exception, SpecError) or "failed" in refused.output
    assert not attempts(workplace)


def test_an_executor_that_cannot_be_read_is_a_sentence(workplace: Path) -> None:
    write_search(workplace)
    refused = search("--executor", "{kind")
    assert isinstance(refused.exception, SpecError)
    assert "--executor {kind: is not YAML" in str(refused.exception)


def test_resources_of_a_trial_are_those_of_its_levels(workplace: Path) -> None:
    entries = [{"memory": "2GiB"}, {"only": {"pooler": ["attn"]}, "cpus": 2}]
    found = loaded(workplace, resources=entries)
    assert found.cell(VALUES).resources == Resources(cpus=1, memory_bytes=2 * 2**30)
    assert found.cell({**VALUES, "pooler": "attn"}).resources == Resources(cpus=2, memory_bytes=2 * 2**30)


def test_what_all_trials_have_in_common_is_told_from_another_base_wherever_it_lies(workplace: Path) -> None:
    plain = loaded(workplace).base_digest()
    (workplace / "test.jsonl").write_text("nobody reads this\n", encoding="utf-8")
    shutil.copytree(workplace, workplace / "moved")
    assert loaded(workplace / "moved").base_digest() == plain
    assert loaded(workplace, set={"training": {"epochs": 1}}).base_digest() != plain
    with (workplace / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write((workplace / "valid.jsonl").read_text(encoding="utf-8").splitlines()[0] + "\n")
    assert loaded(workplace).base_digest() != plain


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_and_repeats_no_trial(workplace: Path) -> None:
    """SIGKILL of the command and its workers, in the middle of the second trial."""
    write_search(workplace, trials=3)
    command = [sys.executable, "-m", "vietmer_core", "search", "search.yaml"]
    killed = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while len(attempts(workplace)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    before = attempts(workplace)
    assert len(before) == 2
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = trials(workplace)
    assert [row["state"] in ("finished", "pruned") for row in rows] == [True, True, True]
    assert sorted(attempts(workplace).values()) in ([1, 1, 1], [1, 1, 2])
    first = Path(rows[0]["folder"]).name
    assert attempts(workplace)[first] == 1
