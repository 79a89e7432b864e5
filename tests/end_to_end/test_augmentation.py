"""Training with everything that augments: the same bits however it is run, and nothing of it outside training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from tests.forked import Forked
from vietmer_core.augment.pipeline import WaveformAugmentation
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.errors import AssemblyError, RunError, SpecError
from vietmer_core.hooks import hookimpl
from vietmer_core.inference.evaluating import evaluate_run
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.records import StepRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training import auto_batch
from vietmer_core.training.experiment import prepare
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run

AUGMENT: dict[str, Any] = {
    "modality_dropout": {"text": 0.3, "audio": 0.3},
    "waveform": [
        {"kind": "speed"},
        {"kind": "noise", "folder": "noise"},
        {"kind": "noise"},
        {"kind": "gain"},
        {"kind": "band"},
        {"kind": "codec"},
    ],
}
SPEC_AUGMENT = {"time_probability": 0.2, "time_span": 3, "time_min_spans": 1}

WriteSpec = Callable[..., Path]


@pytest.fixture
def spec_path(workplace: Path) -> Path:
    (workplace / "noise").mkdir()
    noise = 0.1 * np.random.default_rng(1).standard_normal(4000)
    soundfile.write(workplace / "noise" / "street.wav", noise, 8000)
    path = workplace / "spec.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["augment"] = AUGMENT
    document["audio"]["spec_augment"] = SPEC_AUGMENT
    document["training"]["dropout"] = "utterance"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(folder.last_checkpoint, weights_only=True)["model"]
    return loaded


def trained(path: Path, name: str, *overrides: str) -> dict[str, torch.Tensor]:
    folder, _ = start_run(load_spec([path], overrides), root=path.parent / name)
    return weights(folder)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


class Losses:
    """An observer that keeps the losses."""

    def __init__(self) -> None:
        self.found: list[float] = []

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        self.found.append(step.loss)


@pytest.mark.parametrize("override", ["loader.cache_mib=16", "shapes.training=canonical"])
def test_memory_changes_nothing_and_canonical_shapes_train(spec_path: Path, override: str) -> None:
    plain, other = trained(spec_path, "plain"), trained(spec_path, "other", override)
    assert same(plain, other) == override.startswith("loader")
    assert all(bool(torch.isfinite(value).all()) for value in other.values())


@pytest.mark.slow
def test_workers_change_nothing(spec_path: Path) -> None:
    alone = trained(spec_path, "alone")
    overrides = ("loader.workers=2", "loader.start_method=fork", "loader.cache_mib=16")
    settings = [word for override in overrides for word in ("--set", override)]
    process = Forked("train", spec_path, "--runs", spec_path.parent / "workers", *settings, folder=spec_path.parent)
    assert process.wait() == 0, process.err
    (run,) = (spec_path.parent / "workers").iterdir()
    assert same(alone, weights(RunFolder(run)))


@pytest.mark.parametrize(
    "override",
    [
        "augment.waveform=[]",
        "augment.waveform.4.probability=0",
        "augment.modality_dropout.text=0",
        "audio.spec_augment=null",
    ],
)
def test_each_part_of_it_matters(spec_path: Path, override: str) -> None:
    assert not same(trained(spec_path, "all"), trained(spec_path, "less", override))


@pytest.mark.parametrize("position", [(0, 1), (1, 1)])
def test_a_run_continues_to_the_same_bits(spec_path: Path, position: tuple[int, int]) -> None:
    spec = load_spec([spec_path])
    unbroken, _ = start_run(spec, root=spec_path.parent / "unbroken")
    stopped, finish = start_run(spec, root=spec_path.parent / "stopped", stop_at=position)
    assert finish.outcome == "interrupted"
    resumed, _ = resume_run(stopped.path)
    assert same(weights(unbroken), weights(resumed))
    assert unbroken.results() == resumed.results()


def test_other_noise_is_another_run(spec_path: Path) -> None:
    stopped, _ = start_run(load_spec([spec_path]), root=spec_path.parent / "stopped", stop_at=(0, 2))
    soundfile.write(spec_path.parent / "noise" / "office.wav", np.ones(100), 8000)
    with pytest.raises(RunError, match=r"the data of noise has changed since the run began"):
        resume_run(stopped.path)


def test_nothing_is_changed_outside_training(spec_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = start_run(load_spec([spec_path]), root=spec_path.parent / "runs")
    kept = (folder.predictions_path("valid")).read_text(encoding="utf-8")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(WaveformAugmentation, "__call__", refuse)
    monkeypatch.setattr("vietmer_core.training.loop.drop_modalities", refuse)
    evaluation = evaluate_run(TrainedRun.load(folder.path), "valid")
    found = [row.tolist() for row in evaluation.predictions.probabilities]
    assert [list(yaml.safe_load(line)["probabilities"].values()) for line in kept.splitlines()] == found
    with pytest.raises(AssertionError):  # where training goes through it
        start_run(load_spec([spec_path]), root=spec_path.parent / "again")


def test_evaluation_does_not_need_the_noise(spec_path: Path) -> None:
    folder, _ = start_run(load_spec([spec_path], ["training.epochs=1"]), root=spec_path.parent / "runs")
    (spec_path.parent / "noise" / "street.wav").unlink()
    assert len(evaluate_run(TrainedRun.load(folder.path), "test").predictions.probabilities) == 6


@pytest.mark.parametrize(
    ("override", "error", "said"),
    [
        ("augment.waveform.1.folder=gone", AssemblyError, "`augment.waveform.1`: folder `"),
        ("audio={sampling_rate: 6000, highest_hz: 3000}", AssemblyError, "`augment.waveform.4`: `highest_hz` must lie"),
        ("fusion=text_only", SpecError, "augment.modality_dropout.text"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_made(
    spec_path: Path, override: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        trained(spec_path, "runs", override)
    assert said in str(caught.value)
    assert not (spec_path.parent / "runs").exists()


def test_a_fusion_without_audio_leaves_waveforms_alone(spec_path: Path) -> None:
    overrides = ["fusion=text_only", "augment.modality_dropout={text: 0, audio: 0}"]
    with_them = trained(spec_path, "with", *overrides)
    assert same(with_them, trained(spec_path, "without", *overrides, "augment.waveform=[]"))


BUDGET = ("sampler={kind: length_bucket, max_frames: 60, batch_size: null}", "augment.waveform=[]")
SLOW = "augment.waveform=[{kind: speed, factor: [0.5, 0.6], probability: 1}]"


def frames_of_20_ms(path: Path, *overrides: str) -> list[int]:
    """Rows times the longest audio of each batch of an epoch."""
    experiment = prepare(load_spec([path], overrides), installed_catalogue())
    found = []
    for loaded in experiment.train_loader():
        lengths = loaded.batch.audio.lengths  # frames of 10 ms, 25 ms long
        found.append(len(lengths) * -(-(int(lengths.max()) * 160 + 240) // 320))
    return found


def test_a_budget_holds_whatever_speed_draws(spec_path: Path) -> None:
    plain, slow = frames_of_20_ms(spec_path, *BUDGET), frames_of_20_ms(spec_path, *BUDGET, SLOW)
    assert max(plain) <= 60
    assert max(slow) <= 60
    assert len(slow) > len(plain), "fewer rows in a batch"
    with pytest.raises(AssemblyError, match=r"to hold the longest utterance .* makes it up to 2 times longer\."):
        frames_of_20_ms(spec_path, *BUDGET, SLOW, "sampler.max_frames=30")
    assert max(frames_of_20_ms(spec_path, *BUDGET, "sampler.max_frames=30")) <= 30


def test_the_memory_is_tried_with_utterances_as_long_as_speed_makes_them(
    spec_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest: list[int] = []
    monkeypatch.setattr(auto_batch, "_try", lambda _, batch: longest.append(int(batch.audio.lengths.max())))
    for override in ("augment.waveform=[]", SLOW, "augment.waveform=[{kind: speed, factor: [1, 1.2]}]"):
        auto_batch.find_micro_batch(prepare(load_spec([spec_path], [override]), installed_catalogue()))
    tried = len(longest) // 3
    plain, slow, fast = (longest[start] for start in range(0, 3 * tried, tried))
    assert abs(slow - 2 * plain) <= 4
    assert fast == plain


@pytest.fixture
def frozen_path(spec_path: Path, whisper: Path) -> Path:
    document = yaml.safe_load(spec_path.read_text(encoding="utf-8"))
    document["audio"] = {
        "kind": "whisper",
        "checkpoint": f"./{whisper.name}",
        "window_seconds": 0.4,
        "overlap_seconds": 0.1,
    }
    document["cache"] = "./cache"
    spec_path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return spec_path


def test_changed_waveforms_contradict_kept_states(frozen_path: Path) -> None:
    with pytest.raises(AssemblyError) as caught:
        trained(frozen_path, "runs")
    assert str(caught.value) == (
        "`cache` and `augment.waveform` contradict each other: the states of `audio: whisper` would differ from epoch "
        "to epoch. Take `augment.waveform` out, or leave `cache` out."
    )
    assert not (frozen_path.parent / "runs").exists()


def test_modality_dropout_goes_with_kept_states(frozen_path: Path) -> None:
    found: list[list[float]] = []
    for override in ("cache={}", "cache=null"):
        losses = Losses()
        spec = load_spec([frozen_path], ["augment.waveform=[]", "shapes.training=canonical", override])
        start_run(spec, root=frozen_path.parent / override[:7], observers=[losses])
        found.append(losses.found)
    kept, computed = found
    assert kept == pytest.approx(computed, abs=1e-6)
    other = Losses()
    nothing = ["augment={waveform: [], modality_dropout: {text: 0, audio: 0}}", "shapes.training=canonical"]
    start_run(load_spec([frozen_path], nothing), root=frozen_path.parent / "plain", observers=[other])
    assert other.found != pytest.approx(kept, abs=1e-6)
