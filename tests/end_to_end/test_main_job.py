"""`train`, `evaluate`, `predict` and `runs` on real files."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.end_to_end.calling import vietmer
from tests.scores import macro_f1
from vietmer_core.errors import EXIT_FOUND, DataError, DataProblemsError, RunError
from vietmer_core.evaluation.metrics import score
from vietmer_core.training.run_folder import RunFolder


def trained(workplace: Path, *arguments: object) -> Path:
    result = vietmer("train", *(arguments or [workplace / "spec.yaml"]))
    assert result.exit_code == 0, result.output
    return max((workplace / "runs").iterdir())


def test_a_run_folder_holds_all_that_is_promised(workplace: Path) -> None:
    run = trained(workplace)
    folder = RunFolder.open(run)
    spec = yaml.safe_load(folder.spec_path.read_text(encoding="utf-8"))
    assert spec["training"]["weight_decay"] == 0.01, "defaults are written out"
    provenance = folder.read_json("provenance.json")
    used = {(part["role"], part["kind"]): part["distribution"] for part in provenance["components"]}
    assert used["fusion", "xattn"] == "vietmer-fusion-xattn"
    assert used["pooler", "attn"] == "vietmer-core"
    assert set(provenance["data"]) == {"train", "valid"}
    assert provenance["threads"] == 1
    assert provenance["torch_build"] == torch.__version__
    records = list(folder.records())
    steps = [record for record in records if record["record"] == "step"]
    epochs = [record for record in records if record["record"] == "epoch"]
    assert len(steps) == 3 * 3
    assert [epoch["epoch"] for epoch in epochs] == [0, 1, 2]
    assert all(0 < step["padding_efficiency"] <= 1 for step in steps)
    assert folder.last_checkpoint.is_file()
    assert folder.best_checkpoint.is_file()
    assert folder.read_json("status.json")["outcome"] == "finished"


def test_the_model_learns_the_two_tones(workplace: Path) -> None:
    run = trained(workplace, workplace / "spec.yaml", "--set", "training.epochs=8")
    result = vietmer("evaluate", run, "--json")
    assert json.loads(result.output)["macro_f1"] == 1.0


def test_evaluate_scores_what_the_predictions_say(workplace: Path) -> None:
    run = trained(workplace)
    scores = json.loads(vietmer("evaluate", run, "--split", "test", "--json").output)
    rows = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["utterance_id"] for row in rows] == [f"test_{index:02d}" for index in range(6)]
    probabilities = torch.tensor([[row["probabilities"][label] for label in ("angry", "sad")] for row in rows])
    truth = torch.tensor([("angry", "sad").index(row["label"]) for row in rows])
    again = score(probabilities.double().numpy(), truth.numpy(), ("angry", "sad"))
    assert scores["macro_f1"] == pytest.approx(again.summary["macro_f1"])
    assert scores["loss"] == pytest.approx(again.summary["loss"])
    assert scores["macro_f1_interval"]["num_clusters"] == 3
    assert (run / "evaluation" / "test" / "confusion.png").stat().st_size > 5000
    table = vietmer("evaluate", run).output
    assert "precision" in table
    assert "too few speakers (3)" in table
    assert "protocol: not stated in the manifests" in table
    for name in ("reliability.png", "risk_coverage.png"):
        assert (run / "evaluation" / "test" / name).stat().st_size > 5000
    assert "chose the checkpoint" in vietmer("evaluate", run, "--split", "valid").output


def test_evaluate_names_a_split_that_the_spec_lacks(workplace: Path) -> None:
    run = trained(workplace)
    for name in ("tset", "channel", "splits"):
        with pytest.raises(RunError, match=f"has no split `{name}`; it has: train, valid, test"):
            vietmer("evaluate", run, "--split", name)


def test_predict_one_file_is_what_evaluate_predicts(workplace: Path) -> None:
    run = trained(workplace)
    vietmer("evaluate", run)
    rows = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    manifest = [
        json.loads(line) for line in (workplace / "corpus" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for row, utterance in zip(rows[:3], manifest[:3], strict=True):
        wav = workplace / "corpus" / utterance["wav_path"]
        result = vietmer("predict", run, wav, "--transcript", utterance["transcript"], "--json")
        found = json.loads(result.output)
        assert found["predicted"] == row["predicted"]
        assert found["probabilities"] == pytest.approx(row["probabilities"], abs=1e-6)


def test_predict_abstains_without_a_modality_and_goes_on(workplace: Path) -> None:
    run = trained(workplace)
    base = {"speaker_id": None, "start": None, "end": None}
    rows = [
        {**base, "utterance_id": "nothing", "wav_path": None, "transcript": "  "},
        {**base, "utterance_id": "words", "wav_path": None, "transcript": "tôi buồn lắm"},
        {**base, "utterance_id": "voice", "wav_path": "corpus/audio/test_00.wav", "transcript": None},
    ]
    (workplace / "calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = vietmer("predict", run, "calls.jsonl", "--output", "out.jsonl")
    assert result.exit_code == EXIT_FOUND
    found = {row["utterance_id"]: row for row in map(json.loads, Path("out.jsonl").read_text().splitlines())}
    assert list(found) == ["nothing", "words", "voice"]
    assert found["nothing"]["predicted"] is None
    assert "no audio or transcript" in found["nothing"]["reason"]
    assert found["words"]["predicted"] in ("angry", "sad")
    assert sum(found["voice"]["probabilities"].values()) == pytest.approx(1)


def test_predict_keeps_the_other_rows_when_one_file_is_damaged(workplace: Path) -> None:
    run = trained(workplace)
    (workplace / "corpus" / "audio" / "test_01.wav").write_bytes(b"RIFF, but no more")
    result = vietmer("predict", run, "corpus/test.jsonl", "--output", "out.jsonl")
    assert result.exit_code == EXIT_FOUND
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["predicted"] is None for row in rows] == [False, True, False, False, False, False]
    assert "test_01.wav" in rows[1]["reason"]


def test_predict_says_what_is_wrong_with_its_file(workplace: Path) -> None:
    run = trained(workplace)
    with pytest.raises(DataError, match=r"nowhere\.wav: there is no such file"):
        vietmer("predict", run, "nowhere.wav")
    assert vietmer("predict", run).exit_code == 2


def test_training_names_a_damaged_file_and_leaves_a_failed_run(workplace: Path) -> None:
    (workplace / "corpus" / "audio" / "train_05.wav").write_bytes(b"RIFF, but no more")
    with pytest.raises(DataError, match=r"train\.jsonl:6: .*train_05\.wav"):
        vietmer("train", workplace / "spec.yaml", "--set", "data.fingerprint=size")
    (run,) = (workplace / "runs").iterdir()
    assert RunFolder.open(run).read_json("status.json")["outcome"] == "failed"


def test_rows_without_what_the_model_reads_are_named_before_training(workplace: Path) -> None:
    path = workplace / "corpus" / "train.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    row = {**json.loads(lines[2]), "transcript": None}
    path.write_text("\n".join([*lines[:2], json.dumps(row), *lines[3:], ""]), encoding="utf-8")
    with pytest.raises(DataProblemsError, match=r"train\.jsonl:3: has no text, all that the model reads"):
        vietmer("train", workplace / "spec.yaml", "--set", "fusion={kind: text_only, dim: 8}")
    assert not (workplace / "runs").exists()


def test_a_class_without_training_utterances_is_named(write_spec: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="has no utterance of happy"):
        vietmer("train", write_spec(labels=["angry", "sad", "happy"]))


def test_audio_too_short_for_a_frame_is_named(workplace: Path) -> None:
    path = workplace / "corpus" / "train.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    row = {**json.loads(lines[0]), "end": 0.02}
    path.write_text("\n".join([json.dumps(row), *lines[1:], ""]), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"train\.jsonl:1: the audio must be long enough for one frame, but lasts 20\.0 ms"
    ):
        vietmer("train", workplace / "spec.yaml")


def test_runs_are_listed_shown_and_pruned(workplace: Path) -> None:
    runs = [trained(workplace, workplace / "spec.yaml", "--set", "training.epochs=1") for _ in range(2)]
    listed = json.loads(vietmer("runs", "list", "--json").output)
    assert [Path(run["run"]).name for run in listed] == [run.name for run in runs]
    assert "finished" in vietmer("runs", "list").output
    shown = vietmer("runs", "show", runs[0]).output
    assert "vietmer-audio-fourier2vec" in shown
    assert vietmer("runs", "prune", "--keep", "1", "--yes").exit_code == 0
    assert [run.name for run in (workplace / "runs").iterdir()] == [runs[1].name]
    with pytest.raises(RunError, match="there is no such run folder"):
        vietmer("runs", "show", runs[0])


@pytest.mark.parametrize("fusion", ["late", "text_only", "audio_only"])
@pytest.mark.parametrize("pooler", ["mean", "attn"])
def test_every_fusion_and_pooler_trains(workplace: Path, fusion: str, pooler: str) -> None:
    settings = (f"fusion={{kind: {fusion}, dim: 8}}", f"pooler={pooler}", "training.epochs=1")
    run = trained(workplace, workplace / "spec.yaml", *(word for change in settings for word in ("--set", change)))
    assert 0 <= json.loads(vietmer("evaluate", run, "--json").output)["macro_f1"] <= 1


def test_an_encoder_that_the_fusion_does_not_read_is_not_built(workplace: Path) -> None:
    run = trained(workplace, workplace / "spec.yaml", "--set", "fusion={kind: text_only, dim: 8}")
    weights = torch.load(run / "checkpoints" / "best.pt", weights_only=True)["model"]
    assert not [name for name in weights if name.startswith("audio.")]
    parts = RunFolder(run).read_json("provenance.json")["components"]
    assert {part["role"]: part["used"] for part in parts}["audio"] is False


def test_transcripts_that_are_cut_are_counted_and_reported(workplace: Path) -> None:
    result = vietmer("train", workplace / "spec.yaml", "--set", "text.max_tokens=4", "--set", "training.epochs=1")
    (run,) = (workplace / "runs").iterdir()
    status = RunFolder.open(run).read_status()
    assert status["transcripts_cut"] == 12
    assert status["tokens_cut"] > 12
    assert "12 training transcripts were too long" in result.output
    assert "6 transcripts were too long" in vietmer("evaluate", run).output
    rows = [json.loads(line) for line in (run / "predictions" / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(row["tokens_cut"] > 0 for row in rows)


def test_a_run_whose_process_is_gone_is_killed_and_no_longer_running(workplace: Path) -> None:
    folder = RunFolder.open(trained(workplace, workplace / "spec.yaml", "--set", "training.epochs=1"))
    folder.write_json("status.json", {**folder.read_status(), "outcome": "running"})
    assert folder.read_status()["outcome"] == "running", "this very process is alive"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder.write_json("status.json", {**folder.read_status(), "process": gone.pid})
    assert folder.read_status()["outcome"] == "killed"


def test_options_that_belong_to_another_kind_of_file_are_refused(workplace: Path) -> None:
    run = trained(workplace, workplace / "spec.yaml", "--set", "training.epochs=1")
    wav = "corpus/audio/test_00.wav"
    assert vietmer("predict", run, wav, "--output", "rows.jsonl").exit_code == 2
    assert vietmer("predict", run, "corpus/test.jsonl", "--start", "0.1").exit_code == 2
    assert vietmer("predict", run, wav, "--channel", "left").exit_code == 2
    assert vietmer("predict", run, wav, "--device", "tpu").exit_code == 2
    assert vietmer("train").exit_code == 2
    for option in (["--check"], ["--runs", "elsewhere"]):
        assert vietmer("train", "--resume", run, *option).exit_code == 2
    assert vietmer("train", "spec.yaml", "--accept-versions").exit_code == 2


def test_impossible_bounds_are_named_and_not_the_file(workplace: Path) -> None:
    run = trained(workplace, workplace / "spec.yaml", "--set", "training.epochs=1")
    wav = "corpus/audio/test_00.wav"
    with pytest.raises(DataError, match="`start` must be a number of seconds from 0, but is -1"):
        vietmer("predict", run, wav, "--start", "-1")
    with pytest.raises(DataError, match="`end` must be a number of seconds from 0, but is nan"):
        vietmer("predict", run, wav, "--end", "nan")
    with pytest.raises(DataError, match=r"`end` must be after `start`, but is 0\.1"):
        vietmer("predict", run, wav, "--start", "0.2", "--end", "0.1")


def test_the_best_validation_predictions_are_kept_by_training(workplace: Path) -> None:
    run = trained(workplace)
    lines = (run / "predictions" / "valid.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    truth, predicted = ([("angry", "sad").index(row[key]) for row in rows] for key in ("label", "predicted"))
    best = RunFolder(run).read_status()["best"]["macro_f1"]
    assert macro_f1(np.array(truth), np.array(predicted)) == pytest.approx(best)


def test_one_long_transcript_is_not_cut_silently(workplace: Path) -> None:
    run = trained(workplace, workplace / "spec.yaml", "--set", "text.max_tokens=4", "--set", "training.epochs=1")
    said = vietmer("predict", run, "--transcript", "một hai ba bốn năm sáu bảy")
    assert "3 tokens were left out" in said.output
    assert json.loads(vietmer("predict", run, "--transcript", "một hai ba bốn năm", "--json").output)["tokens_cut"] == 1


def test_prune_touches_only_runs_that_have_ended(workplace: Path) -> None:
    run = trained(workplace, workplace / "spec.yaml", "--set", "training.epochs=1")
    under_way = trained(workplace, workplace / "spec.yaml", "--set", "training.epochs=1", "--set", "name=under-way")
    folder = RunFolder(under_way)
    folder.write_json("status.json", {**folder.read_status(), "outcome": "running", "process": os.getpid()})
    mine = workplace / "runs" / "mine"
    mine.mkdir()
    (mine / "spec.yaml").write_text("labels: [a, b]", encoding="utf-8")
    damaged = workplace / "runs" / "damaged"
    shutil.copytree(run, damaged)
    (damaged / "status.json").write_text("[]", encoding="utf-8")
    (workplace / "runs" / "nowhere").symlink_to(workplace / "gone")
    outcomes = {Path(row["run"]).name: row["outcome"] for row in json.loads(vietmer("runs", "list", "--json").output)}
    assert outcomes == {run.name: "finished", under_way.name: "running", "damaged": "damaged"}
    assert vietmer("runs", "prune", "--keep", "0", "--yes").exit_code == 0
    left = sorted(path.name for path in (workplace / "runs").iterdir())
    assert left == sorted(["mine", "nowhere", "damaged", under_way.name])
