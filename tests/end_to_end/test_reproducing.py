"""`vietmer reproduce`: a run again, from its folder alone."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from vietmer_core.cli.main import commands
from vietmer_core.errors import EXIT_FOUND, RunError
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.checkpoint import load_checkpoint, save_checkpoint
from vietmer_core.training.history import Position
from vietmer_core.training.reproducing import reproduce
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run


def trained(workplace: Path, *settings: str) -> RunFolder:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"], settings), root=workplace / "runs")
    return folder


def test_a_run_is_reproduced_from_its_folder_alone(workplace: Path) -> None:
    folder = trained(workplace)
    (workplace / "spec.yaml").unlink()
    done = CliRunner().invoke(commands, ["reproduce", str(folder.path), "--runs", "again"])
    assert done.exit_code == 0, done.output
    assert "identical to the bit: " in done.output
    assert f"{len(folder.results())} records" in done.output


def test_a_run_that_went_on_with_other_settings_is_reproduced_through_them(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", stop_at=(1, 1))
    resume_run(folder.path, overrides=["training.learning_rate=0.002", "training.epochs=4"], stop_at=(2, 1))
    resume_run(folder.path)
    found = reproduce(folder.path, root=workplace / "again")
    assert found.differences == ()
    assert found.conditions == ()
    assert found.num_records == 12 + 4


@pytest.mark.parametrize(
    "change",
    [
        "loss.kind=focal",
        'training.learning_rates={"text": 0.001}',
        "training.gradient_clip=0.01",
        "training.dropout=utterance",
        "training.micro_batch=3",
        "training.patience=1",
        "augment.modality_dropout.text=0.5",
        "data.faults=skip",
        "trackers=[tensorboard]",
        "loader.cache_mib=8",
    ],
)
def test_whatever_may_change_can_be_changed_and_reproduced(workplace: Path, change: str) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", stop_at=(1, 1))
    resume_run(folder.path, overrides=[change])
    found = reproduce(folder.path, root=workplace / "again")
    assert (found.differences, found.conditions) == ((), ())


@pytest.mark.parametrize("position", [(0, 0), (0, 3), (1, 0), (1, 2)])
def test_every_position_is_reproduced_also_where_a_run_was_continued_twice(workplace: Path, position: Position) -> None:
    """Before the first step, at the end of an epoch before and after its validation, and in the middle."""
    settings = ["training.checkpoint_every=1"]
    folder, _ = start_run(load_spec([workplace / "spec.yaml"], settings), root=workplace / "runs", stop_at=position)
    for change in ("training.learning_rate=0.5", "training.learning_rate=0.002"):
        resume_run(folder.path, overrides=[change], stop_at=position)
    resume_run(folder.path, overrides=["training.epochs=2"])
    found = reproduce(folder.path, root=workplace / "again")
    assert (found.differences, found.conditions) == ((), ())
    assert folder.results() == found.repeated.results()


def test_another_number_of_processes_of_a_continuation_is_a_condition(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", stop_at=(1, 1))
    resume_run(folder.path)
    record = folder.read_json("provenance.json")
    record["resumed"][0]["processes"] = 2  # as `torchrun --nproc_per_node 2` would note
    folder.write_json("provenance.json", record)
    found = reproduce(folder.path, root=workplace / "again")
    assert found.conditions == ("`processes` of a continuation 2 → 1",)


@pytest.mark.parametrize("what", ["weights", "metrics"])
def test_the_last_bit_of_a_difference_is_found(workplace: Path, what: str) -> None:
    folder = trained(workplace)
    if what == "weights":
        state = load_checkpoint(folder.last_checkpoint)
        weight = state["model"]["head.layers.0.weight"]
        weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(torch.inf))
        save_checkpoint(folder.last_checkpoint, state=state)
    else:
        text = folder.metrics_path.read_text(encoding="utf-8")
        first = next(folder.records())["loss"]
        folder.metrics_path.write_text(text.replace(repr(first), repr(first + 1e-12), 1), encoding="utf-8")
    done = CliRunner().invoke(commands, ["reproduce", str(folder.path), "--runs", "again"])
    assert done.exit_code == EXIT_FOUND
    expected = {
        "weights": "differs: last.pt: 1 of ",
        "metrics": "records differ, first that of step 1: `loss` ",
    }
    assert expected[what] in done.output


def test_a_run_that_has_not_ended_and_other_data_are_refused(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", stop_at=(0, 2))
    with pytest.raises(RunError, match=r"its outcome is `interrupted`. Continue it with `vietmer train --resume"):
        reproduce(folder.path, root=workplace / "again")
    resume_run(folder.path)
    manifest = workplace / "corpus" / "train.jsonl"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("rất", "hơi"), encoding="utf-8")
    with pytest.raises(RunError, match=r"the data of train has changed since the run began \(`train` \w{12}… →"):
        reproduce(folder.path, root=workplace / "again")
