"""`train`, `--resume`, `evaluate` and `predict` with a pretrained audio encoder: a tiny Whisper of random weights."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import constants

from vietmer_core.errors import CheckpointError, RunError
from vietmer_core.hooks import hookimpl
from vietmer_core.inference.evaluating import evaluate_run
from vietmer_core.inference.prediction import predict_manifest, predict_utterance
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.pretrained.hub import hub_folder
from vietmer_core.records import StepRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run

WINDOWS = {"window_seconds": 0.4, "overlap_seconds": 0.1}
WriteSpec = Callable[..., Path]
SaveWhisper = Callable[..., Path]
COMMITS = ("a" * 40, "b" * 40)


def audio(**params: Any) -> dict[str, Any]:
    return {"kind": "whisper", "checkpoint": "./whisper", **WINDOWS, **params}


class InterruptAfter:
    """An observer that sends Ctrl-C to its own process after a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        if step.step == self._step:
            os.kill(os.getpid(), signal.SIGINT)


def weights(path: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["model"]
    return state


def of_backbone(names: Any) -> set[str]:
    return {name.removeprefix("audio.backbone.model.") for name in names if name.startswith("audio.backbone.")}


def train(path: Path, *overrides: str, observers: Any = (), runs: str = "runs") -> RunFolder:
    folder, _ = start_run(load_spec([path], overrides), root=path.parent / runs, observers=observers)
    return folder


@pytest.mark.usefixtures("whisper")
def test_a_frozen_encoder_is_not_in_the_run_and_is_read_again(write_spec: WriteSpec) -> None:
    folder = train(write_spec(audio=audio()))
    for path in (folder.best_checkpoint, folder.last_checkpoint):
        assert of_backbone(weights(path)) == set()
    run = TrainedRun.load(folder.path)
    assert of_backbone(run.model.state_dict())
    evaluation = evaluate_run(run, "test")
    assert evaluation.scores.num_utterances == 6


def test_the_run_says_where_its_weights_come_from(write_spec: WriteSpec, whisper: Path) -> None:
    (whisper / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    folder = train(write_spec(audio=audio()), "training.epochs=1")
    provenance = folder.read_json("provenance.json")
    (record,) = provenance["pretrained"]["audio"]
    assert record["checkpoint"] == str(whisper), "a folder is relative to the spec that names it"
    assert record["licence"] == "MIT"
    assert record["commit"] is None
    assert list(record["files"]) == ["config.json", "preprocessor_config.json", "model.safetensors"]
    assert provenance["packages"]["transformers"]
    kept = torch.load(folder.best_checkpoint, weights_only=True)["pretrained"]
    assert kept == {"audio.backbone": {name: value for name, value in record.items() if name != "part"}}


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"train_layers": 1}, ("layers.2.", "layer_norm.")),
        ({"freeze": False}, ("layers.", "layer_norm.", "conv1.", "conv2.")),
    ],
)
@pytest.mark.usefixtures("whisper")
def test_what_is_trained_is_in_the_run(write_spec: WriteSpec, params: dict[str, Any], kept: tuple[str, ...]) -> None:
    folder = train(write_spec(audio=audio(**params)), "training.epochs=1")
    found = of_backbone(weights(folder.best_checkpoint))
    assert all(name.startswith(kept) for name in found)
    assert {prefix for prefix in kept if any(name.startswith(prefix) for name in found)} == set(kept)
    TrainedRun.load(folder.path)


@pytest.mark.parametrize(
    "step", [2, 3, 4, 7]
)  # three steps an epoch: before the border, at it, after it, after the next
@pytest.mark.usefixtures("whisper")
def test_a_run_resumes_to_the_same_bits_across_the_freeing_of_layers(write_spec: WriteSpec, step: int) -> None:
    rates = {"epochs": 3, "learning_rate": 0.01, "learning_rates": {"audio.pretrained": 0.01}, "device": "cpu"}
    unfreezing = audio(freeze=False, unfreeze={"first_epoch": 1, "layers": 2})
    path = write_spec(audio=unfreezing, training={**rates, "layer_decay": 0.7, "dropout": "utterance"})
    unbroken = train(path, runs="unbroken")
    stopped = train(path, runs="stopped", observers=[InterruptAfter(step)])
    resumed, finish = resume_run(stopped.path)
    assert finish.outcome == "finished"
    expected, found = weights(unbroken.last_checkpoint), weights(resumed.last_checkpoint)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    first = train(path, "training.epochs=1", runs="first")
    held = {name for name, value in weights(first.last_checkpoint).items() if torch.equal(value, expected[name])}
    assert not of_backbone(held) & {"layers.2.fc1.weight", "layers.1.fc1.weight", "conv1.weight"}, "all were freed"


def test_nothing_pretrained_moves_before_it_is_freed(write_spec: WriteSpec, whisper: Path) -> None:
    from safetensors.torch import load_file

    path = write_spec(audio=audio(freeze=False, unfreeze={"first_epoch": 1}), training={"epochs": 2, "device": "cpu"})
    folder = train(path, 'training.learning_rates={"audio.pretrained": 0.01}', "training.weight_decay=0.5")
    origin = load_file(whisper / "model.safetensors")
    for name, value in weights(folder.last_checkpoint).items():
        if name.startswith("audio.backbone.model.") and name.endswith("weight"):
            inner = name.removeprefix("audio.backbone.model.")
            moved = not torch.equal(value, origin[f"encoder.{inner}"])
            assert moved == inner.startswith(("layers.2.", "layer_norm.")), inner


@pytest.mark.usefixtures("whisper")
def test_low_rank_updates_alone_are_in_the_run_and_predict_the_same(write_spec: WriteSpec, workplace: Path) -> None:
    folder = train(write_spec(audio=audio(lora={"rank": 2}, layers="weighted_sum")))
    found = of_backbone(weights(folder.best_checkpoint))
    assert found
    assert all(".lora_" in name for name in found)
    run = TrainedRun.load(folder.path)
    evaluation = evaluate_run(run, "test")
    rows = [json.loads(line) for line in (workplace / "corpus" / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    for position, row in enumerate(rows):
        wav = workplace / "corpus" / row["wav_path"]
        prediction = predict_utterance(run, wav_path=wav, transcript=row["transcript"])
        found_ = [prediction.probabilities[label] for label in run.spec.labels]
        assert found_ == pytest.approx(evaluation.predictions.probabilities[position].tolist(), abs=1e-6)


def test_other_weights_at_the_same_place_are_refused(
    write_spec: WriteSpec, whisper: Path, save_whisper: SaveWhisper
) -> None:
    folder = train(write_spec(audio=audio()), observers=[InterruptAfter(4)])
    origin = (whisper / "model.safetensors").read_bytes()
    save_whisper(whisper, seed=1)
    for use in (TrainedRun.load, resume_run):
        with pytest.raises(
            RunError, match=r"other weights of `.*whisper` than those here: `model\.safetensors` differs"
        ):
            use(folder.path)
    (whisper / "model.safetensors").write_bytes(origin)
    TrainedRun.load(folder.path)
    shutil.rmtree(whisper)
    with pytest.raises(CheckpointError, match=r"the folder `.*whisper` does not exist"):
        TrainedRun.load(folder.path)


@pytest.mark.usefixtures("whisper")
def test_a_checkpoint_that_is_not_there_is_told_before_a_run_folder_is_made(
    write_spec: WriteSpec, workplace: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"the folder `.*elsewhere` does not exist"):
        train(write_spec(audio=audio(checkpoint="../elsewhere")))
    assert not (workplace / "runs").exists()


@pytest.fixture
def hub(workplace: Path, save_whisper: SaveWhisper, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the hub with two commits of one checkpoint; `main` is the first."""
    repository = workplace / "hub" / "models--somebody--whisper"
    for seed, commit in enumerate(COMMITS):
        save_whisper(repository / "snapshots" / commit, seed=seed)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMITS[0], encoding="utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workplace / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub_folder.cache_clear()
    yield repository
    hub_folder.cache_clear()


def test_a_run_keeps_to_the_commit_that_it_began_with(write_spec: WriteSpec, hub: Path) -> None:
    folder = train(write_spec(audio=audio(checkpoint="somebody/whisper")), "training.epochs=1")
    spec = yaml.safe_load(folder.spec_path.read_text(encoding="utf-8"))
    assert (spec["audio"]["checkpoint"], spec["audio"]["revision"]) == ("somebody/whisper", COMMITS[0])
    assert folder.read_json("provenance.json")["pretrained"]["audio"][0]["commit"] == COMMITS[0]
    before = evaluate_run(TrainedRun.load(folder.path), "test").predictions.probabilities
    (hub / "refs" / "main").write_text(COMMITS[1], encoding="utf-8")
    hub_folder.cache_clear()
    after = evaluate_run(TrainedRun.load(folder.path), "test").predictions.probabilities
    assert before.tolist() == after.tolist()


def without(path: Path, *, text: str, sound: str) -> None:
    """Take the transcript of one row and the audio of another."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row["utterance_id"] == text:
            row["transcript"] = None
        if row["utterance_id"] == sound:
            row |= {"wav_path": None, "start": None, "end": None}
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("params", [{}, {"freeze": False}])
@pytest.mark.usefixtures("whisper")
def test_a_missing_modality_is_legal_in_training_and_prediction(
    write_spec: WriteSpec, workplace: Path, params: dict[str, Any]
) -> None:
    from vietmer_core.data.manifest import ManifestSource

    corpus = workplace / "corpus"
    without(corpus / "train.jsonl", text="train_02", sound="train_05")
    run = TrainedRun.load(train(write_spec(audio=audio(**params))).path)
    whole = list(predict_manifest(run, [ManifestSource(path=corpus / "test.jsonl", root=None)]))
    without(corpus / "test.jsonl", text="test_01", sound="test_04")
    rows = list(predict_manifest(run, [ManifestSource(path=corpus / "test.jsonl", root=None)]))
    assert all(row["predicted"] in run.spec.labels for row in rows)
    for position in (0, 2, 3, 5):
        assert rows[position]["probabilities"] == pytest.approx(whole[position]["probabilities"], abs=1e-6)
    for position in (1, 4):
        assert rows[position]["probabilities"] != pytest.approx(whole[position]["probabilities"], abs=1e-6)


@pytest.mark.usefixtures("whisper")
def test_audio_that_was_padded_is_counted_and_told(write_spec: WriteSpec, workplace: Path) -> None:
    from typer.testing import CliRunner

    from vietmer_core.cli.main import commands

    corpus = workplace / "corpus"
    for split, number in (("train", "03"), ("test", "02")):
        path = corpus / f"{split}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows[int(number)]["end"] = 0.01  # 160 samples; 240 more make 25 ms
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    path = write_spec(audio=audio(short="pad"))
    runner = CliRunner()
    trained = runner.invoke(commands, ["train", str(path), "--set", "training.epochs=2"])
    told = "the audio of 1 training utterances was too short for the audio encoder; 240 samples of silence were added"
    assert told in trained.output
    (run,) = (workplace / "runs").iterdir()
    status = RunFolder(run).read_json("status.json")
    assert (status["audio_padded"], status["samples_added"]) == (1, 240)
    scored = runner.invoke(commands, ["evaluate", str(run)])
    assert "the audio of 1 utterances was too short" in " ".join(scored.output.split())
    wav = corpus / "audio" / "test_02.wav"
    one = runner.invoke(commands, ["predict", str(run), str(wav), "--end", "0.01", "--json"])
    assert json.loads(one.output)["samples_added"] == 240
    shown = runner.invoke(commands, ["predict", str(run), str(wav), "--end", "0.01"]).output
    assert "the audio was too short for the audio encoder; 240 samples were added" in shown
    rows = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row.get("samples_added") for row in rows] == [None, None, 240, None, None, None]


@pytest.mark.usefixtures("whisper")
def test_dropout_by_utterance_is_another_draw(write_spec: WriteSpec) -> None:
    path = write_spec(audio=audio(freeze=False), training={"epochs": 1, "device": "cpu"})
    losses: list[list[float]] = []
    for choice in ("batch", "utterance", "utterance"):
        folder = train(path, f"training.dropout={choice}", runs=f"runs_{len(losses)}")
        losses.append([record["loss"] for record in folder.records() if record["record"] == "step"])
    assert losses[1] == losses[2]
    assert losses[0] != losses[1]


def test_a_binding_licence_is_one_line_of_warning(write_spec: WriteSpec, whisper: Path) -> None:
    (whisper / "README.md").write_text("---\nlicense: agpl-3.0\n---\n", encoding="utf-8")
    path = write_spec(audio=audio())
    command = "import sys; sys.argv[0] = 'vietmer'; from vietmer_core.cli.main import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", command, "train", str(path), "--set", "training.epochs=1"],
        capture_output=True,
        text=True,
        check=True,
    )
    duty = "who offers a service with them over a network must publish its source code"
    assert done.stderr.rstrip() == f"warning: the weights of `{whisper}` are under AGPL-3.0: {duty}."
