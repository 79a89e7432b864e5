"""`initialise`: a part of a run begins with the weights of another run, which may then go."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.errors import AssemblyError, RunError, VietmerError
from vietmer_core.files import file_sha256
from vietmer_core.hooks import hookimpl
from vietmer_core.inference.evaluating import evaluate_run
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.records import RunRecord, StepRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.checkpoint import load_checkpoint, save_checkpoint
from vietmer_core.training.experiment import prepare
from vietmer_core.training.reproducing import reproduce
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run

WriteSpec = Callable[..., Path]
TEXT_ONLY = {"fusion": {"kind": "text_only", "dim": 8}, "training": {"epochs": 1, "device": "cpu"}}


def best_weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = load_checkpoint(folder.best_checkpoint)["model"]
    return weights


def initial_weights(path: Path, *overrides: str) -> dict[str, torch.Tensor]:
    """The weights before the first step."""
    return prepare(load_spec([path], overrides), installed_catalogue()).model.state_dict()


@pytest.fixture
def text_run(write_spec: WriteSpec, workplace: Path) -> RunFolder:
    folder, _ = start_run(load_spec([write_spec(**TEXT_ONLY)]), root=workplace / "runs")
    return folder


class StopAfter:
    """Ctrl-C after a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        if step.step == self._step:
            os.kill(os.getpid(), signal.SIGINT)


def test_the_part_begins_with_the_weights_of_the_run_and_the_others_from_the_seed(
    workplace: Path, text_run: RunFolder, write_spec: WriteSpec
) -> None:
    fused = write_spec(initialise={"text": f"runs/{text_run.path.name}"})
    begun, fresh, source = initial_weights(fused), initial_weights(workplace / "spec.yaml"), best_weights(text_run)
    taken = {name for name in begun if name.startswith("text.")}
    assert taken
    assert all(torch.equal(begun[name], source[name]) for name in taken)
    assert all(torch.equal(begun[name], fresh[name]) for name in begun.keys() - taken)
    assert not all(torch.equal(fresh[name], source[name]) for name in taken), "the comparison sees another start"


def test_every_part_can_be_taken(workplace: Path, write_spec: WriteSpec) -> None:
    source, _ = start_run(load_spec([workplace / "spec.yaml"], ["training.epochs=1"]), root=workplace / "runs")
    parts = ("text", "audio", "fusion", "pooler", "head")
    begun = initial_weights(write_spec(seed=8, initialise=dict.fromkeys(parts, str(source.path))))
    weights = best_weights(source)
    assert begun.keys() == weights.keys()
    assert all(torch.equal(begun[name], weights[name]) for name in begun)


def test_the_run_records_where_its_weights_came_from(text_run: RunFolder, write_spec: WriteSpec) -> None:
    spec = load_spec([write_spec(initialise={"text": str(text_run.path)})], ["training.epochs=1"])
    folder, _ = start_run(spec, root=text_run.path.parent)
    assert folder.read_json("provenance.json")["initialise"] == {
        "text": {
            "run": text_run.path.name,
            "checkpoint_sha256": file_sha256(text_run.best_checkpoint),
            "epoch": 0,
            "data": text_run.read_json("provenance.json")["data"],
        }
    }
    kept = load_checkpoint(folder.initial_checkpoint)
    assert kept["model"].keys() == {name for name in best_weights(text_run) if name.startswith("text.")}
    assert text_run.read_json("provenance.json")["initialise"] == {}
    assert not text_run.initial_checkpoint.exists()


def test_what_the_run_kept_is_enough_to_begin_again(text_run: RunFolder, write_spec: WriteSpec) -> None:
    spec = load_spec([write_spec(initialise={"text": str(text_run.path)})], ["training.epochs=1"])
    begun = prepare(spec, installed_catalogue()).model.state_dict()
    folder, _ = start_run(spec, root=text_run.path.parent)
    shutil.rmtree(text_run.path)
    kept = load_checkpoint(folder.initial_checkpoint)
    again = prepare(spec, installed_catalogue(), initial=kept).model.state_dict()
    assert all(torch.equal(begun[name], again[name]) for name in begun)


def test_the_other_run_may_be_gone_when_this_one_is_resumed_and_evaluated(
    text_run: RunFolder, write_spec: WriteSpec, workplace: Path
) -> None:
    spec = load_spec([write_spec(initialise={"text": str(text_run.path)})])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    stopped, _ = start_run(spec, root=workplace / "stopped", observers=[StopAfter(2)])
    shutil.rmtree(text_run.path)
    resumed, finish = resume_run(stopped.path)
    assert finish.outcome == "finished"
    expected, found = (load_checkpoint(folder.last_checkpoint)["model"] for folder in (unbroken, resumed))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    evaluate_run(TrainedRun.load(resumed.path), "test")
    with pytest.raises(RunError, match="there is no such run folder"):
        start_run(spec, root=workplace / "new")
    assert not (workplace / "new").exists(), "nothing is made before the weights are found"


def test_a_run_killed_before_its_first_checkpoint_begins_anew_without_the_other(
    text_run: RunFolder, write_spec: WriteSpec, workplace: Path
) -> None:
    spec = load_spec([write_spec(initialise={"text": str(text_run.path)})])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    killed, _ = start_run(spec, root=workplace / "killed", observers=[StopAfter(1)])
    killed.last_checkpoint.unlink()
    shutil.rmtree(text_run.path)
    resumed, _ = resume_run(killed.path)
    expected, found = (load_checkpoint(folder.last_checkpoint)["model"] for folder in (unbroken, resumed))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_run_is_reproduced_from_its_folder_alone(text_run: RunFolder, write_spec: WriteSpec, workplace: Path) -> None:
    spec = load_spec([write_spec(initialise={"text": str(text_run.path)})])
    folder, _ = start_run(spec, root=workplace / "runs")
    shutil.rmtree(text_run.path)
    made = reproduce(folder.path, root=workplace / "again")
    assert not made.differences
    records = [run.read_json("provenance.json")["initialise"] for run in (folder, made.repeated)]
    assert records[0] == records[1]
    state = load_checkpoint(folder.initial_checkpoint)
    save_checkpoint(folder.initial_checkpoint, state={**state, "model": {}})
    assert reproduce(folder.path, root=workplace / "other").differences, "other initial weights are seen"


def sentence(path: Path, *overrides: str) -> str:
    with pytest.raises(VietmerError) as caught:
        prepare(load_spec([path], overrides), installed_catalogue())
    return str(caught.value)


@pytest.mark.parametrize(("field", "there", "here"), [("hidden_dim", 16, 32), ("max_tokens", 256, 9)])
def test_a_parameter_that_differs_is_named_with_both_values(
    text_run: RunFolder, write_spec: WriteSpec, field: str, there: int, here: int
) -> None:
    path = write_spec(initialise={"text": str(text_run.path)})
    assert sentence(path, f"text.{field}={here}") == (
        f"`text.{field}` must be {there}, as in the run {text_run.path} that `initialise.text` names, but is {here} "
        "instead. Make them the same, or leave `initialise.text` out."
    )


def test_another_kind_is_named_with_both(
    workplace: Path, write_spec: WriteSpec, save_whisper: Callable[..., Path]
) -> None:
    save_whisper(workplace / "whisper")
    source, _ = start_run(load_spec([workplace / "spec.yaml"], ["training.epochs=1"]), root=workplace / "runs")
    path = write_spec(audio=whisper(layers="weighted_sum"), initialise={"audio": str(source.path)})
    assert sentence(path) == (
        f"`audio.kind` must be `fourier2vec`, as in the run {source.path} that `initialise.audio` names, but is "
        "`whisper` instead. Make them the same, or leave `initialise.audio` out."
    )


def test_dropout_may_differ(text_run: RunFolder, write_spec: WriteSpec) -> None:
    path = write_spec(initialise={"text": str(text_run.path)})
    begun, source = initial_weights(path, "text.dropout=0.4"), best_weights(text_run)
    assert all(torch.equal(begun[name], source[name]) for name in begun if name.startswith("text."))


def test_a_head_of_other_labels_is_refused(workplace: Path, write_spec: WriteSpec) -> None:
    source, _ = start_run(load_spec([workplace / "spec.yaml"], ["training.epochs=1"]), root=workplace / "runs")
    path = write_spec(initialise={"head": str(source.path)}, labels=["sad", "angry"])
    assert sentence(path).startswith('`labels` must be ["angry", "sad"], as in the run')


def test_a_part_that_reads_something_of_another_width_is_refused(workplace: Path, write_spec: WriteSpec) -> None:
    source, _ = start_run(load_spec([workplace / "spec.yaml"], ["training.epochs=1"]), root=workplace / "runs")
    said = sentence(write_spec(initialise={"fusion": str(source.path)}), "text.dim=16")
    assert said == (
        f"{source.best_checkpoint}: the checkpoint does not fit `initialise.fusion`: `fusion.text_projection.0.weight` "
        "must have shape (8, 16), but has (8, 8) instead, since what `fusion` reads has another width there."
    )


def test_poolers_of_another_number_of_streams_are_refused(text_run: RunFolder, write_spec: WriteSpec) -> None:
    path = write_spec(fusion={"kind": "late", "dim": 8}, initialise={"pooler": str(text_run.path)})
    assert "does not fit `initialise.pooler`: its weights lack `poolers.1.query`." in sentence(path)


def test_a_part_without_weights_to_take_is_refused(text_run: RunFolder, write_spec: WriteSpec) -> None:
    run = str(text_run.path)
    said = sentence(write_spec(pooler="mean", initialise={"pooler": run}))
    assert said == "`initialise.pooler` must be left out, since there are no weights to take: `pooler: mean` has none."
    said = sentence(write_spec(**TEXT_ONLY, initialise={"audio": run}))
    assert said.endswith("there are no weights to take: `fusion: text_only` reads no audio.")
    said = sentence(write_spec(initialise={"audio": run}))
    assert said == f"`initialise.audio` must name a run that reads audio, but {run} has `fusion: text_only` instead."


def test_a_run_that_is_missing_unfinished_or_damaged_is_one_sentence(
    text_run: RunFolder, write_spec: WriteSpec, workplace: Path
) -> None:
    path = write_spec(initialise={"text": str(text_run.path)})
    missing = sentence(path, f"initialise.text={workplace / 'runs' / 'gone'}")
    assert missing.startswith(f"{workplace / 'runs' / 'gone'}: there is no such run folder")
    status = text_run.read_status()
    text_run.write_json("status.json", {**status, "outcome": "running", "process": os.getpid()})
    assert "the run is under way" in sentence(path)
    text_run.write_json("status.json", status)
    whole = text_run.best_checkpoint.read_bytes()
    text_run.best_checkpoint.write_bytes(whole[: len(whole) // 2])
    assert "the checkpoint is damaged" in sentence(path)
    text_run.best_checkpoint.unlink()
    assert "there is no checkpoint; the run ended before its first one" in sentence(path)


def whisper(**params: Any) -> dict[str, Any]:
    return {"kind": "whisper", "checkpoint": "./whisper", "window_seconds": 0.4, "overlap_seconds": 0.1, **params}


AUDIO_ONLY = {"text": None, "fusion": {"kind": "audio_only", "dim": 8}, "training": {"epochs": 1, "device": "cpu"}}


def test_frozen_pretrained_weights_come_from_their_files_which_must_be_the_same(
    workplace: Path, write_spec: WriteSpec, save_whisper: Callable[..., Path]
) -> None:
    save_whisper(workplace / "whisper")
    mixed = {**AUDIO_ONLY, "audio": whisper(layers="weighted_sum")}
    source, _ = start_run(load_spec([write_spec(**mixed)]), root=workplace / "runs")
    path = write_spec(**mixed, initialise={"audio": str(source.path)})
    (taken,) = {name for name in best_weights(source) if name.startswith("audio.")}
    assert torch.equal(initial_weights(path, "seed=9")[taken], best_weights(source)[taken])
    frozen = {**AUDIO_ONLY, "audio": whisper(layers=1), "initialise": {"audio": str(source.path)}}
    assert sentence(write_spec(**frozen)).endswith("`audio: whisper` reads all of them from its pretrained checkpoint.")
    shutil.copytree(workplace / "whisper", workplace / "moved")
    path = write_spec(**{**mixed, "audio": whisper(layers="weighted_sum", checkpoint="./moved")},
                      initialise={"audio": str(source.path)})  # fmt: skip
    assert taken in initial_weights(path), "a folder may have been moved"
    save_whisper(workplace / "moved", seed=1)
    assert "the run was trained on other weights" in sentence(path)


def test_random_frozen_weights_do_not_go_with_a_cache(
    workplace: Path, write_spec: WriteSpec, save_whisper: Callable[..., Path]
) -> None:
    save_whisper(workplace / "whisper")
    drawn = {**AUDIO_ONLY, "audio": whisper(weights="random")}
    source, _ = start_run(load_spec([write_spec(**drawn)]), root=workplace / "runs")
    path = write_spec(**drawn, seed=9, initialise={"audio": str(source.path)})
    weights = best_weights(source)
    begun = initial_weights(path)
    assert all(torch.equal(begun[name], weights[name]) for name in weights if name.startswith("audio."))
    assert sentence(path, "cache=cache").startswith("`initialise.audio` must not go with `cache` here")


def test_a_path_is_relative_to_the_file_that_names_it(workplace: Path) -> None:
    (workplace / "specs").mkdir()
    path = workplace / "specs" / "over.yaml"
    path.write_text(yaml.safe_dump({"initialise": {"text": "../runs/a", "head": None}}), encoding="utf-8")
    spec = load_spec([workplace / "spec.yaml", path], ["initialise.fusion=runs/b"])
    assert spec.initialise is not None
    assert spec.initialise.text == workplace / "runs" / "a"
    assert spec.initialise.fusion == Path.cwd() / "runs" / "b"
    assert spec.initialise.head is None
    assert load_spec([workplace / "spec.yaml", path], ["initialise=null"]).initialise is None


class Begun:
    """Notes that training began."""

    has = False

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        del run
        self.has = True


def test_a_difference_is_told_before_training_begins(
    text_run: RunFolder, write_spec: WriteSpec, workplace: Path
) -> None:
    begun = Begun()
    spec = load_spec([write_spec(initialise={"text": str(text_run.path)})], ["text.hidden_dim=32"])
    with pytest.raises(AssemblyError, match=r"`text\.hidden_dim` must be 16"):
        start_run(spec, root=workplace / "other", observers=[begun])
    assert not begun.has
    assert not (workplace / "other").exists()
