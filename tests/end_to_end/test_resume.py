"""Stopping and continuing: the weights at the end are those of a run never stopped."""

import os
import signal
from pathlib import Path

import pytest
import torch
from torch.optim import AdamW

from vietmer_core.errors import DataError, RunError
from vietmer_core.hooks import hookimpl
from vietmer_core.records import EpochRecord, StepRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run


class StopAfter:
    """An observer that sends Ctrl-C to its own process after a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        if step.step == self._step:
            os.kill(os.getpid(), signal.SIGINT)


def final_weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(folder.last_checkpoint, weights_only=True)["model"]
    return weights


@pytest.mark.parametrize("step", [1, 3, 5])  # in an epoch of three steps: in it, at its end, in the next
def test_a_run_stopped_by_ctrl_c_continues_to_the_same_bits(workplace: Path, step: int) -> None:
    spec = load_spec([workplace / "spec.yaml"])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    stopped, finish = start_run(spec, root=workplace / "stopped", observers=[StopAfter(step)])
    assert finish.outcome == "interrupted"
    assert finish.step == step
    resumed, finish = resume_run(stopped.path)
    assert finish.outcome == "finished"
    expected, found = final_weights(unbroken), final_weights(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert unbroken.results() == resumed.results()


def test_the_comparison_would_see_another_seed(workplace: Path) -> None:
    first, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "first")
    other, _ = start_run(load_spec([workplace / "spec.yaml"], ["seed=4"]), root=workplace / "other")
    weights, others = final_weights(first), final_weights(other)
    assert not all(torch.equal(weights[name], others[name]) for name in weights)


def test_the_same_spec_gives_the_same_bits(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"])
    first, _ = start_run(spec, root=workplace / "first")
    second, _ = start_run(spec, root=workplace / "second")
    weights, again = final_weights(first), final_weights(second)
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_changed_data_is_refused(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"])
    folder, _ = start_run(spec, root=workplace / "runs", observers=[StopAfter(1)])
    manifest = workplace / "corpus" / "train.jsonl"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("rất", "hơi"), encoding="utf-8")
    with pytest.raises(RunError, match="the data of train has changed"):
        resume_run(folder.path)


def test_a_damaged_checkpoint_is_one_sentence(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", observers=[StopAfter(1)])
    folder.last_checkpoint.write_bytes(folder.last_checkpoint.read_bytes()[:500])
    with pytest.raises(RunError, match="the checkpoint is damaged"):
        resume_run(folder.path)


def test_periodic_checkpoints_are_kept_to_their_limit(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["training.checkpoint_every=2", "training.keep_checkpoints=2"])
    folder, _ = start_run(spec, root=workplace / "runs")
    assert [path.name for path in folder.periodic_checkpoints()] == ["step-00000006.pt", "step-00000008.pt"]


def test_early_stopping_stops(workplace: Path) -> None:
    overrides = ["training.patience=2", "training.epochs=50", "training.learning_rate=1e-12"]
    folder, finish = start_run(load_spec([workplace / "spec.yaml"], overrides), root=workplace / "runs")
    assert finish.outcome == "stopped_early"
    epochs = [record for record in folder.records() if record["record"] == "epoch"]
    assert len(epochs) == 3


def test_a_loss_that_is_not_finite_names_the_utterances(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["training.learning_rate=1e30", "training.gradient_clip=null"])
    with pytest.raises(
        RunError,
        match=r"the loss of step \d+ \(epoch \d\) must be finite, but is not for `train_\d\d` \(.*train.jsonl:\d+\)",
    ):
        start_run(spec, root=workplace / "runs")


def test_an_observer_that_fails_is_named(workplace: Path) -> None:
    class Faulty:
        @hookimpl
        def end_step(self, step: StepRecord) -> None:
            raise ZeroDivisionError(f"at step {step.step}")

    with pytest.raises(RunError, match="an observer failed in `end_step`: ZeroDivisionError: at step 1"):
        start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", observers=[Faulty()])


def test_a_fault_in_the_middle_keeps_what_was_computed_and_the_run_resumes(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["data.fingerprint=size"])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    recording = workplace / "corpus" / "audio" / "train_05.wav"
    whole = recording.read_bytes()
    recording.write_bytes(b"?" * len(whole))
    with pytest.raises(DataError, match="train_05"):
        start_run(spec, root=workplace / "broken")
    recording.write_bytes(whole)
    (broken,) = (workplace / "broken").iterdir()
    if not RunFolder(broken).last_checkpoint.exists():
        pytest.fail("the faulty utterance must not stand in the first batch of this seed")
    resumed, finish = resume_run(broken)
    assert finish.outcome == "finished"
    expected, found = final_weights(unbroken), final_weights(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


class SpoilGradient:
    """An observer that makes the next gradient infinite, through a hook on a parameter of the model."""

    def __init__(self, step: int) -> None:
        self._step = step
        self.armed = False

    @hookimpl
    def end_step(self, step: StepRecord) -> None:
        self.armed = step.step == self._step


def test_a_gradient_that_is_not_finite_never_reaches_a_checkpoint(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil = SpoilGradient(4)
    step = AdamW.zero_grad

    def zero_grad(self: AdamW, set_to_none: bool = True) -> None:  # the signature of torch
        step(self, set_to_none=set_to_none)
        if spoil.armed:
            weight = self.param_groups[0]["params"][0]
            weight.register_hook(lambda gradient: gradient * torch.inf)

    monkeypatch.setattr(AdamW, "zero_grad", zero_grad)
    spec = load_spec([workplace / "spec.yaml"])
    with pytest.raises(RunError, match=r"the gradient of step 5 .* must be finite, but is not in the batch of `train_"):
        start_run(spec, root=workplace / "runs", observers=[spoil])
    (run,) = (workplace / "runs").iterdir()
    state = torch.load(RunFolder(run).last_checkpoint, weights_only=True)
    assert state["progress"]["step"] == 3, "the checkpoint at the end of the first epoch stays"
    assert all(torch.isfinite(weight).all() for weight in state["model"].values())


def test_a_run_under_way_is_not_continued_by_another(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", observers=[StopAfter(1)])
    folder.write_json("status.json", {**folder.read_status(), "outcome": "running", "process": os.getpid()})
    with pytest.raises(RunError, match="the run is under way in process"):
        resume_run(folder.path)


def test_the_count_of_cut_transcripts_survives_a_stop(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["text.max_tokens=4", "training.epochs=1"])
    folder, finish = start_run(spec, root=workplace / "runs", observers=[StopAfter(2)])
    assert finish.transcripts_cut == 8
    _, finish = resume_run(folder.path)
    assert finish.transcripts_cut == 12


def test_a_spec_edited_after_the_checkpoint_is_refused_with_the_difference(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", observers=[StopAfter(1)])
    text = folder.spec_path.read_text(encoding="utf-8")
    folder.spec_path.write_text(text.replace("hidden_dims:\n  - 8", "hidden_dims:\n  - 4"), encoding="utf-8")
    with pytest.raises(RunError, match=r"spec.yaml: the spec is another one .*: `head.hidden_dims`: \[8\] → \[4\]\."):
        resume_run(folder.path)


def test_a_damaged_line_of_the_metrics_is_named(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", observers=[StopAfter(2)])
    text = folder.metrics_path.read_text(encoding="utf-8")
    folder.metrics_path.write_text("{oops}\n" + text, encoding="utf-8")
    with pytest.raises(RunError, match=r"metrics\.jsonl:1: is not JSON"):
        resume_run(folder.path)


class KilledError(BaseException):
    """Ends a run at once, as a kill does: nothing more is saved."""


class KillAtEpoch:
    """An observer that kills its run when the first epoch has been told."""

    @hookimpl
    def end_epoch(self, epoch: EpochRecord) -> None:
        raise KilledError(epoch.epoch)


def test_a_kill_between_the_record_of_an_epoch_and_its_checkpoint_leaves_one_record_of_it(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["training.checkpoint_every=3"])  # an epoch has three steps
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    with pytest.raises(KilledError):
        start_run(spec, root=workplace / "runs", observers=[KillAtEpoch()])
    (killed,) = (workplace / "runs").iterdir()
    assert [record["record"] for record in RunFolder(killed).records()][-2:] == ["step", "epoch"]
    assert torch.load(RunFolder(killed).last_checkpoint, weights_only=True)["batches"]["epoch"] == 0
    resumed, _ = resume_run(killed)
    assert resumed.results() == unbroken.results()


def test_what_a_kill_left_half_written_goes_when_the_run_continues(workplace: Path) -> None:
    folder, _ = start_run(load_spec([workplace / "spec.yaml"]), root=workplace / "runs", observers=[StopAfter(1)])
    whole = {path.name for path in folder.path.rglob("*")}
    for path in (folder.last_checkpoint, folder.path / "status.json"):
        path.with_name(f".{path.name}.4194304.tmp").write_bytes(b"half")
    resumed, _ = resume_run(folder.path)
    assert {path.name for path in resumed.path.rglob("*")} - whole == {"best.pt", "predictions", "valid.jsonl"}
