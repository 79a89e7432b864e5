"""What goes wrong in the middle of a run: one sentence each, and the run can be continued."""

import json
import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from tests.end_to_end.launching import Launched, launch
from vietmer_core.batch import Batch
from vietmer_core.cli.main import commands
from vietmer_core.errors import (
    EXIT_FOUND,
    EXIT_RUN,
    AssemblyError,
    ChangedFileError,
    DataError,
    NonFiniteError,
    RunError,
)
from vietmer_core.hooks import hookimpl
from vietmer_core.records import EpochRecord, StepRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.forward import ForwardPass
from vietmer_core.training.replay import replay
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run

LIMITED = Path(__file__).with_name("limited_memory.py")
HUGE = (
    *("audio.dim=512", "audio.num_layers=1", "audio.num_heads=4", "audio.hidden_dim=2048", "audio.patch_frames=1"),
    *("audio.hop_seconds=0.001", "sampler.batch_size=12", "training.epochs=1"),
)


def only_run(root: Path) -> RunFolder:
    (path,) = root.iterdir()
    return RunFolder(path)


def spoil(workplace: Path, *numbers: int) -> None:
    """Make training recordings undecodable, at the same size."""
    for number in numbers:
        recording = workplace / "corpus" / "audio" / f"train_{number:02d}.wav"
        recording.write_bytes(b"?" * recording.stat().st_size)


def test_a_step_that_is_not_finite_is_saved_and_can_be_run_again(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["training.learning_rate=1e30", "training.gradient_clip=null"])
    with pytest.raises(NonFiniteError, match=r"No weight was changed\. `vietmer replay .*` runs the step again"):
        start_run(spec, root=workplace / "runs")
    run = only_run(workplace / "runs")
    found = replay(run.path)
    assert (found.what, found.step) == ("loss", run.read_status()["step"] + 1)
    assert found.first_module != ""
    assert any(loss != loss for _, loss in found.losses)  # noqa: PLR0124  # NaN is not equal to itself
    assert {name for name, _ in found.losses} <= {f"train_{number:02d}" for number in range(12)}
    done = CliRunner().invoke(commands, ["replay", str(run.path)])
    assert done.exit_code == EXIT_FOUND
    assert f"first part that gives numbers that are not finite: {found.first_module}" in done.output
    assert "<- not finite" in done.output


def test_a_run_without_a_failure_has_nothing_to_run_again(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", stop_at=(0, 1))
    with pytest.raises(RunError, match="no step of the run has failed"):
        replay(folder.path)


def test_a_failure_that_does_not_come_again_is_told(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["training.learning_rate=1e30", "training.gradient_clip=null"])
    with pytest.raises(NonFiniteError):
        start_run(spec, root=workplace / "runs")
    run = only_run(workplace / "runs")
    (saved,) = (run.path / "failures").iterdir()
    state = torch.load(saved, weights_only=True)
    state["model"] = {name: torch.zeros_like(weight) for name, weight in state["model"].items()}
    torch.save(state, saved)
    done = CliRunner().invoke(commands, ["replay", str(run.path)])
    assert done.exit_code == 0
    assert "the step is finite" in done.output


@pytest.mark.parametrize("workers", [0, 1])
def test_what_cannot_be_used_is_left_out_and_counted_where_the_spec_says_so(workplace: Path, workers: int) -> None:
    spoil(workplace, 3, 5, 7, 8, 9, 10, 11)
    settings = ["data.faults=skip", f"loader.workers={workers}", "training.epochs=2"]
    folder, finish = start_run(load_spec([workplace / "spec.yaml"], settings), root=workplace / "runs")
    assert finish.outcome == "finished"
    assert finish.utterances_skipped == 7
    steps = [record for record in folder.records() if record["record"] == "step"]
    assert sum(record["num_utterances"] for record in steps) == 2 * 5
    rows = [json.loads(row) for row in (folder.path / "skipped.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["utterance_id"] for row in rows] == [f"train_{number:02d}" for number in (3, 5, 7, 8, 9, 10, 11)]
    assert all("cannot be decoded" in row["reason"] for row in rows)


def test_a_step_of_which_nothing_is_left_changes_nothing_and_resumes(workplace: Path) -> None:
    spoil(workplace, *range(12))
    settings = ["data.faults=skip", "training.epochs=2"]
    folder, finish = start_run(load_spec([workplace / "spec.yaml"], settings), root=workplace / "runs", stop_at=(1, 1))
    _, finish = resume_run(folder.path)
    assert (finish.outcome, finish.utterances_skipped) == ("finished", 12)
    weights = torch.load(folder.last_checkpoint, weights_only=True)
    assert weights["optimiser"]["state"] == {}


class ChangesTheManifest:
    """An observer that adds to the training manifest after the first step."""

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        if step.step == 1:
            with Path("corpus/train.jsonl").open("a", encoding="utf-8") as file:
                file.write("\n")


def test_a_manifest_that_changes_is_no_fault_of_its_utterances(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["data.faults=skip", "loader.workers=0", "training.epochs=2"])
    with pytest.raises(ChangedFileError, match="has changed since it was opened"):
        start_run(spec, root=workplace / "runs", observers=[ChangesTheManifest()])


def test_the_validation_split_is_never_left_incomplete(workplace: Path) -> None:
    recording = workplace / "corpus" / "audio" / "valid_02.wav"
    recording.write_bytes(b"?" * recording.stat().st_size)
    with pytest.raises(DataError, match="valid_02"):
        start_run(load_spec([workplace / "spec.yaml"], ["data.faults=skip"]), root=workplace / "runs")


def test_a_want_of_memory_in_a_step_leaves_the_run_between_two_steps(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout of the batch draws from torch's generator: what the failed step has drawn must be given back."""
    spec = load_spec([workplace / "spec.yaml"])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    forward, passes = ForwardPass.forward, 0

    def lack_memory(self: ForwardPass, batch: Batch) -> torch.Tensor:
        nonlocal passes
        passes += 1
        logits = forward(self, batch)
        if passes == 5:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return logits

    with monkeypatch.context() as patched:
        patched.setattr(ForwardPass, "forward", lack_memory)
        with pytest.raises(RunError, match="the memory does not suffice for a pass of 4 utterances"):
            start_run(spec, root=workplace / "runs")
    resumed, _ = resume_run(only_run(workplace / "runs").path)
    assert resumed.results() == unbroken.results()
    weights, others = (torch.load(folder.last_checkpoint, weights_only=True)["model"] for folder in (unbroken, resumed))
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_a_want_of_memory_while_weights_change_keeps_the_checkpoint_before(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lack_memory(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(torch.optim.AdamW, "step", lack_memory)
    with pytest.raises(RunError, match="the memory does not suffice for the states of the optimiser"):
        start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs")
    assert not only_run(workplace / "runs").last_checkpoint.exists()


def test_a_recording_of_noise_that_cannot_be_used_is_no_fault_of_an_utterance(workplace: Path) -> None:
    (workplace / "noise").mkdir()
    noise = workplace / "noise" / "office.flac"
    soundfile.write(noise, np.random.default_rng(0).uniform(-0.1, 0.1, 16_000), 16_000)
    noise.write_bytes(noise.read_bytes()[:2000])
    settings = ["data.faults=skip", "augment.waveform=[{kind: noise, folder: noise, probability: 1}]"]
    with pytest.raises(RunError, match=r"a recording of noise \(`augment.waveform`\) cannot be used: .*office\.flac"):
        start_run(load_spec([workplace / "spec.yaml"], settings), root=workplace / "runs")


def test_auto_batch_leaves_out_what_training_leaves_out_and_a_cache_cannot(workplace: Path) -> None:
    spoil(workplace, 3, 4)
    settings = ["data.faults=skip", "training.auto_batch=true", "training.epochs=1"]
    _, finish = start_run(load_spec([workplace / "spec.yaml"], settings), root=workplace / "runs")
    assert finish.utterances_skipped == 2
    with pytest.raises(AssemblyError, match=r"`cache` and `data.faults: skip` contradict each other"):
        start_run(load_spec([workplace / "spec.yaml"], ["data.faults=skip", "cache=kept"]), root=workplace / "runs")


class FullDisk:
    """An observer that lets no file grow any more, from the end of an epoch on."""

    def __init__(self, *, epoch: int, most_bytes: int) -> None:
        self._epoch, self._most = epoch, most_bytes

    @hookimpl
    def end_epoch(self, epoch: EpochRecord) -> None:
        if epoch.epoch == self._epoch:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._most, resource.RLIM_INFINITY))


def test_a_full_disk_stops_the_run_and_leaves_the_checkpoint_before(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    try:
        with pytest.raises(RunError, match=r"checkpoints/(best|last)\.pt: cannot be written: File too large"):
            start_run(spec, root=workplace / "runs", observers=[FullDisk(epoch=1, most_bytes=20_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run = only_run(workplace / "runs")
    assert torch.load(run.last_checkpoint, weights_only=True)["progress"]["step"] == 3
    assert [path.name for path in run.last_checkpoint.parent.iterdir() if path.suffix == ".tmp"] == []
    resumed, _ = resume_run(run.path)
    assert resumed.results() == unbroken.results()
    weights, others = (torch.load(folder.last_checkpoint, weights_only=True)["model"] for folder in (unbroken, resumed))
    assert all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.mark.slow
def test_a_want_of_memory_says_what_to_lower_and_auto_batch_finds_what_fits(workplace: Path) -> None:
    def train(root: str, *more: str) -> Launched:
        settings = [word for setting in (*HUGE, *more) for word in ("--set", setting)]
        return launch("520", "train", "spec.yaml", "--runs", root, *settings, script=LIMITED)

    lacking = train("lacks")
    assert lacking.code == EXIT_RUN
    assert "error: the memory does not suffice for a pass of 12 utterances of up to 476 frames" in lacking.err
    assert "Set `training.auto_batch: true`" in lacking.err
    found = train("fits", "training.auto_batch=true")
    assert found.code == 0, found.err
    assert "auto_batch: " in found.out
    spec = load_spec([only_run(workplace / "fits").spec_path])
    assert spec.training.micro_batch is not None
    assert spec.training.micro_batch < 12
