"""A pretrained text encoder from a folder beside the spec, through `train`, `evaluate` and `predict`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.end_to_end.calling import vietmer
from vietmer_core.errors import CheckpointError, RunError
from vietmer_core.text.abbreviations import ABBREVIATIONS_VERSION
from vietmer_core.training.run_folder import RunFolder

phobert = pytest.importorskip("vietmer_text_phobert.plugin", reason="vietmer-text-phobert is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

TABLE = "text.backbone.model.embeddings.word_embeddings.weight"
UPPER = "text.backbone.model.encoder.layer.1.output.dense.weight"
LOWER = "text.backbone.model.encoder.layer.0.output.dense.weight"


@pytest.fixture
def checkpoint(workplace: Path) -> Path:
    """`phobert/` beside the spec: a tiny random network, saved as transformers saves one, and its tokenizer."""
    folder = workplace / "phobert"
    config = transformers.RobertaConfig.from_pretrained(phobert.TINY)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        transformers.RobertaForMaskedLM(config).save_pretrained(folder)
    for name in ("vocab.txt", "bpe.codes"):
        (folder / name).write_bytes((phobert.TINY / name).read_bytes())
    return folder


def text_of(**changes: Any) -> dict[str, Any]:
    return {"kind": "phobert", "checkpoint": "./phobert", "segmenter": "none", **changes}


def only_text(**changes: Any) -> dict[str, Any]:
    """Changes to the tiny spec: the transcript alone, one epoch."""
    training = {"epochs": 1, "learning_rate": 0.01, "device": "cpu", "learning_rates": {"text.pretrained": 0.01}}
    return {
        "text": text_of(**changes),
        "fusion": {"kind": "text_only", "dim": 8},
        "training": {**training, "checkpoint_every": None},
    }


def trained(workplace: Path, spec: Path) -> Path:
    result = vietmer("train", spec)
    assert result.exit_code == 0, result.output
    return max((workplace / "runs").iterdir())


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, dict[str, torch.Tensor]] = torch.load(RunFolder.open(run).best_checkpoint, weights_only=True)
    return state["model"]


def without_transcripts(path: Path, *, every: int) -> None:
    rows = rows_of(path)
    for row in rows[::every]:
        row["transcript"] = None
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.usefixtures("checkpoint")
def test_a_folder_beside_the_spec_is_trained_evaluated_and_predicts(
    workplace: Path, write_spec: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another working folder: the checkpoint is found beside the spec, not here."""
    spec, elsewhere = write_spec(**only_text()), workplace / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    result = vietmer("train", spec)
    assert result.exit_code == 0, result.output
    (run,) = (elsewhere / "runs").iterdir()
    assert TABLE not in weights_of(run), "what never changes is read from the checkpoint again"
    scores = json.loads(vietmer("evaluate", run, "--json").output)
    assert 0 <= scores["macro_f1"] <= 1
    predicted = rows_of(run / "predictions" / "test.jsonl")
    assert len(predicted) == 6
    for row, utterance in zip(predicted[:2], rows_of(workplace / "corpus" / "test.jsonl"), strict=False):
        found = json.loads(vietmer("predict", run, "--transcript", utterance["transcript"], "--json").output)
        assert found["predicted"] == row["predicted"]
        assert found["probabilities"] == pytest.approx(row["probabilities"], abs=1e-6)


@pytest.mark.usefixtures("checkpoint")
def test_the_run_says_where_the_weights_come_from(workplace: Path, write_spec: Callable[..., Path]) -> None:
    run = trained(workplace, write_spec(**only_text()))
    (record,) = RunFolder.open(run).read_json("provenance.json")["pretrained"]["text"]
    assert (record["weights"], record["licence"]) == ("pretrained", "unknown")
    assert {"config.json", "model.safetensors", "vocab.txt", "bpe.codes"} <= set(record["files"])


def test_the_provenance_names_the_licence_of_the_weights_and_the_table_of_abbreviations(
    workplace: Path, checkpoint: Path, write_spec: Callable[..., Path]
) -> None:
    (checkpoint / "README.md").write_text("---\nlicense: apache-2.0\n---\n", encoding="utf-8")
    run = trained(workplace, write_spec(**only_text(read_abbreviations=True)))
    found = RunFolder.open(run).read_json("provenance.json")
    (component,) = (row for row in found["components"] if row["role"] == "text")
    assert component["weights_licence"] == "Apache-2.0", "not that of the default checkpoint"
    assert found["transcripts"]["abbreviations_version"] == ABBREVIATIONS_VERSION


@pytest.mark.parametrize(
    ("changes", "moved"),
    [({"train_layers": 1}, {UPPER}), ({"freeze": False}, {UPPER, LOWER, TABLE}), ({"lora": {"rank": 2}}, set[str]())],
)
def test_what_the_spec_frees_is_trained(
    workplace: Path, checkpoint: Path, write_spec: Callable[..., Path], changes: dict[str, Any], moved: set[str]
) -> None:
    run = trained(workplace, write_spec(**only_text(**changes)))
    before = transformers.RobertaModel.from_pretrained(checkpoint, add_pooling_layer=False).state_dict()
    kept = weights_of(run)
    found = {
        name
        for name in (UPPER, LOWER, TABLE)
        if name in kept and not torch.equal(kept[name], before[name.removeprefix("text.backbone.model.")])
    }
    assert found == moved
    updates = [value for name, value in kept.items() if ".lora_B." in name]
    assert bool(updates) == ("lora" in changes)
    assert all(bool(value.any()) for value in updates), "they begin at zero"
    assert vietmer("evaluate", run).exit_code == 0


@pytest.mark.usefixtures("checkpoint")
def test_rows_without_a_transcript_are_trained_and_leave_the_others_as_they_are(
    workplace: Path, write_spec: Callable[..., Path]
) -> None:
    without_transcripts(workplace / "corpus" / "train.jsonl", every=3)
    run = trained(workplace, write_spec(text=text_of(train_layers=1), training={"epochs": 1, "device": "cpu"}))
    manifest = workplace / "corpus" / "test.jsonl"
    assert vietmer("predict", run, manifest, "--output", "whole.jsonl").exit_code == 0
    without_transcripts(manifest, every=2)
    assert vietmer("predict", run, manifest, "--output", "some.jsonl").exit_code == 0
    whole, some = rows_of(Path("whole.jsonl")), rows_of(Path("some.jsonl"))
    assert [row["predicted"] is None for row in some] == [False] * 6
    for index in (1, 3, 5):
        assert some[index]["probabilities"] == pytest.approx(whole[index]["probabilities"], abs=1e-6)
    assert any(some[index]["probabilities"] != whole[index]["probabilities"] for index in (0, 2, 4))


def test_a_checkpoint_that_is_gone_is_named(workplace: Path, checkpoint: Path, write_spec: Callable[..., Path]) -> None:
    run = trained(workplace, write_spec(**only_text()))
    checkpoint.rename(workplace / "moved")
    with pytest.raises(CheckpointError, match="phobert` does not exist"):
        vietmer("evaluate", run)
    with pytest.raises(CheckpointError, match="phobert` does not exist"):
        vietmer("train", write_spec(**only_text()))


def test_a_checkpoint_that_is_another_now_is_named(
    workplace: Path, checkpoint: Path, write_spec: Callable[..., Path]
) -> None:
    run = trained(workplace, write_spec(**only_text()))
    config = transformers.RobertaConfig.from_pretrained(checkpoint)
    transformers.RobertaForMaskedLM(config).save_pretrained(checkpoint)
    with pytest.raises(RunError, match=r"trained on other weights of .* `model.safetensors` differs"):
        vietmer("evaluate", run)
