"""Training from the feature cache: the losses of training without it, each utterance encoded once, no damage used."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from tests.end_to_end.caching.cached_runs import CANONICAL, Watcher, losses, shards, train, trained
from vietmer_core.data.audio import read_segment
from vietmer_core.errors import AssemblyError, CacheError
from vietmer_core.evaluation.prediction_files import read_rows
from vietmer_core.hooks import hookimpl
from vietmer_core.inference.evaluating import evaluate_run
from vietmer_core.inference.prediction import predict_manifest, predict_utterance
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.records import RunRecord
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run


@pytest.mark.parametrize("layers", ["last", 1, "weighted_sum"])
@pytest.mark.parametrize("normalised", [False, True])
def test_losses_and_weights_are_the_same_to_the_bit(spec_path: Path, layers: Any, normalised: bool) -> None:
    settings = CANONICAL, f"audio.layers={layers}", f"audio.normalise_layers={str(normalised).lower()}"
    without = train(spec_path, "cache=null", *settings)
    filling, filled = train(spec_path, *settings), train(spec_path, *settings)
    assert losses(without) == losses(filling) == losses(filled)
    expected = trained(without)
    for folder in (filling, filled):
        assert all(torch.equal(expected[name], value) for name, value in trained(folder).items())
    predictions = [read_rows(folder.predictions_path("valid")) for folder in (without, filled)]
    assert predictions[0] == predictions[1]


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-6), ("fp16", 1e-3), ("bf16", 1e-2)])
def test_a_narrower_dtype_and_padded_passes_differ_within_a_tolerance(
    spec_path: Path, dtype: str, tolerance: float
) -> None:
    without, cached = train(spec_path, "cache=null"), train(spec_path, f"cache.dtype={dtype}")
    assert shards(spec_path), "a part of `cache` that is overridden leaves its folder"
    apart = abs(losses(without)[0] - losses(cached)[0])  # the first step: later ones start from other weights
    assert apart < tolerance
    if dtype != "fp32":
        assert apart > 0, "the cache was not used"


def test_each_utterance_is_encoded_once_for_all_cells(spec_path: Path, encodings: list[int]) -> None:
    watcher = Watcher()
    train(spec_path, observers=[watcher])
    assert sum(encodings) == 18 == watcher.encoded
    assert watcher.first["train"].num_missing == 12
    assert watcher.first["train"].num_bytes > 0
    encodings.clear()
    again = Watcher()
    for change in ("seed=9", "pooler=mean", "fusion=late", "training.learning_rate=0.1", "audio.normalise_layers=true"):
        folder = train(spec_path, change, "training.epochs=1", observers=[again])
    assert encodings == []
    assert again.encoded == 0
    evaluate_run(TrainedRun.load(folder.path), "test", report=again.fill_cache)
    assert sum(encodings) == 6, "the test split, which no run had read"


def test_another_layer_or_checkpoint_has_states_of_its_own(
    spec_path: Path, encodings: list[int], save_whisper: Callable[..., Path]
) -> None:
    train(spec_path, "training.epochs=1")
    for change in ("audio.layers=1", "audio.window_seconds=0.3"):
        encodings.clear()
        train(spec_path, change, "training.epochs=1")
        assert sum(encodings) == 18, change
    encodings.clear()
    shutil.rmtree(spec_path.parent / "whisper")
    save_whisper(spec_path.parent / "whisper", seed=1)
    train(spec_path, "training.epochs=1")
    assert sum(encodings) == 18, "the files have other weights under the same name"


def test_the_same_bytes_elsewhere_have_the_same_states(spec_path: Path, encodings: list[int]) -> None:
    train(spec_path, "training.epochs=1")
    encodings.clear()
    (spec_path.parent / "corpus").rename(spec_path.parent / "elsewhere")
    splits = [f"data.{split}=elsewhere/{split}.jsonl" for split in ("train", "valid", "test")]
    train(spec_path, *splits, "training.epochs=1")
    assert encodings == []


def test_a_copy_of_the_checkpoint_has_the_same_states(spec_path: Path, encodings: list[int]) -> None:
    train(spec_path, "training.epochs=1")
    encodings.clear()
    shutil.copytree(spec_path.parent / "whisper", spec_path.parent / "copy")
    train(spec_path, "audio.checkpoint=./copy", "training.epochs=1")
    assert encodings == []


def test_random_weights_have_the_same_states_after_training(spec_path: Path, encodings: list[int]) -> None:
    folder = train(spec_path, "audio.weights=random", "audio.layers=weighted_sum", "training.epochs=1")
    encodings.clear()
    evaluate_run(TrainedRun.load(folder.path), "valid")
    assert encodings == []


def test_a_head_of_odd_width_takes_no_rows_from_the_encoder(spec_path: Path, encodings: list[int]) -> None:
    rows = ("shapes.frames_per_pass=100000", "shapes.tokens_per_pass=100000")
    train(spec_path, *rows, "training.epochs=1")
    encodings.clear()
    train(spec_path, *rows, "head.hidden_dims=[5]", "training.epochs=1")
    assert encodings == []


def test_a_run_whose_cache_is_gone_is_evaluated_and_continued_elsewhere(spec_path: Path, tmp_path: Path) -> None:
    folder = train(spec_path, CANONICAL)
    expected = evaluate_run(TrainedRun.load(folder.path), "test").predictions.probabilities
    written = folder.spec_path.read_text(encoding="utf-8")
    (tmp_path / "file").write_text("")
    cache = str(spec_path.parent / "cache")
    folder.spec_path.write_text(written.replace(cache, str(tmp_path / "file" / "cache")), encoding="utf-8")
    with pytest.raises(CacheError, match="--cache"):
        evaluate_run(TrainedRun.load(folder.path), "test")
    for elsewhere in ("none", str(tmp_path / "other")):
        found = evaluate_run(TrainedRun.load(folder.path), "test", cache=elsewhere).predictions.probabilities
        assert (found == expected).all()
        _, finish = resume_run(folder.path, cache=elsewhere)
        assert finish.outcome == "finished"


def test_other_audio_under_the_same_name_is_encoded(spec_path: Path, encodings: list[int]) -> None:
    train(spec_path, "training.epochs=1")
    encodings.clear()
    path = spec_path.parent / "corpus" / "audio" / "train_03.wav"
    samples = read_segment(path, start=None, end=None, channel="mono", sampling_rate=16_000)
    soundfile.write(path, samples[::-1], 16_000)
    train(spec_path, "training.epochs=1")
    assert sum(encodings) == 1


def test_a_damaged_entry_is_computed_again_and_not_believed(spec_path: Path, encodings: list[int]) -> None:
    expected = losses(train(spec_path))
    shard = max(shards(spec_path), key=lambda path: path.stat().st_size)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0x40
    shard.write_bytes(content)
    encodings.clear()
    watcher = Watcher()
    assert losses(train(spec_path, observers=[watcher])) == expected
    assert sum(encodings) == 1
    assert sum(record.num_damaged for record in watcher.first.values()) == 1


class DamageAtStart:
    """An observer that damages every shard when training starts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @hookimpl
    def start_run(self, run: RunRecord) -> None:
        del run
        for shard in shards(self._path):
            size = shard.stat().st_size
            with shard.open("r+b") as file:
                file.seek(size // 3)
                file.write(b"\xff" * (size // 2))


@pytest.mark.parametrize("workers", [0, 1])
def test_damage_during_training_stops_it_with_a_sentence_and_it_resumes(spec_path: Path, workers: int) -> None:
    settings = (f"loader.workers={workers}", "loader.start_method=fork")
    expected = trained(train(spec_path, *settings))
    with pytest.raises(CacheError, match="damaged") as caught:
        train(spec_path, *settings, observers=[DamageAtStart(spec_path)])
    assert "\n" not in str(caught.value)
    last = max((spec_path.parent / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    if not RunFolder(last).last_checkpoint.is_file():
        return  # the very first batch was damaged: nothing was computed yet
    resumed, finish = resume_run(last)
    assert finish.outcome == "finished"
    assert all(torch.equal(expected[name], value) for name, value in trained(resumed).items())


def test_rows_without_audio_or_text_train_from_the_cache(spec_path: Path) -> None:
    path = spec_path.parent / "corpus" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[0]["wav_path"] = rows[0]["start"] = rows[0]["end"] = None
    rows[1]["transcript"] = None
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert losses(train(spec_path, CANONICAL)) == losses(train(spec_path, CANONICAL, "cache=null"))


def test_prediction_needs_no_cache(spec_path: Path) -> None:
    folder = train(spec_path)
    before = evaluate_run(TrainedRun.load(folder.path), "test").predictions.probabilities
    shutil.rmtree(spec_path.parent / "cache")
    run = TrainedRun.load(folder.path)
    sources = [spec_path.parent / "corpus" / "test.jsonl"]
    from vietmer_core.data.manifest import ManifestSource

    rows = list(predict_manifest(run, [ManifestSource(path=path) for path in sources]))
    assert not (spec_path.parent / "cache").exists()
    found = [list(row["probabilities"].values()) for row in rows]
    assert found == before.tolist(), "fp32 states hold every bit"
    row = json.loads(sources[0].read_text(encoding="utf-8").splitlines()[0])
    alone = predict_utterance(
        run, wav_path=sources[0].parent / row["wav_path"], transcript=row["transcript"], start=0.0, end=row["end"]
    )
    assert list(alone.probabilities.values()) == found[0]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("audio.freeze=false", "`freeze: false`"),
        ("audio.train_layers=1", "`train_layers: 1`"),
        ("audio.lora={rank: 2}", "`lora`"),
        ("audio=fourier2vec", "no frozen part"),
        ("audio.spec_augment={}", "`cache` and `audio: whisper` contradict each other: `spec_augment`"),
    ],
)
def test_what_changes_states_contradicts_the_cache(spec_path: Path, override: str, said: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        train(spec_path, override)
    assert said in str(caught.value)
    assert "`cache`" in str(caught.value)
    assert not (spec_path.parent / "runs").exists()
