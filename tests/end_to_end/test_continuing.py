"""What a continued run may have otherwise, what it may not, and what a kill leaves."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.end_to_end.launching import launch, wait_for_steps
from tests.forked import Forked
from vietmer_core.errors import AssemblyError, RunError
from vietmer_core.hooks import hookimpl
from vietmer_core.records import EpochRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training import resuming
from vietmer_core.training.checkpoint import load_checkpoint, save_checkpoint
from vietmer_core.training.history import Position
from vietmer_core.training.keeping import Keeper
from vietmer_core.training.loop import TrainingLoop
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import resume_run, start_run


def same_weights(first: RunFolder, second: RunFolder) -> bool:
    pairs = [(first.last_checkpoint, second.last_checkpoint), (first.best_checkpoint, second.best_checkpoint)]
    for one, other in pairs:
        weights, others = load_checkpoint(one)["model"], load_checkpoint(other)["model"]
        if weights.keys() != others.keys() or not all(torch.equal(weights[name], others[name]) for name in weights):
            return False
    return True


def stopped(workplace: Path, *settings: str, at: Position = (1, 1)) -> RunFolder:
    spec = load_spec([workplace / "spec.yaml"], settings)
    folder, finish = start_run(spec, root=workplace / "runs", stop_at=at)
    assert finish.outcome == "interrupted"
    return folder


def test_overrides_are_honoured_and_what_they_do_is_said(workplace: Path) -> None:
    folder = stopped(workplace, "training.learning_rate=0.01", "training.schedule=constant", "training.warmup=0")
    said: list[str] = []
    changes = ["training.epochs=4", "training.learning_rate=0.002", "loader.cache_mib=8"]
    _, finish = resume_run(folder.path, overrides=changes, say=said.append)
    assert said == [
        "`loader.cache_mib`: 0 → 8",
        "`training.epochs`: 3 → 4",
        "`training.learning_rate`: 0.01 → 0.002",
        "the schedule ends at step 12 instead of 9",
        "the next step has a learning rate of 0.002 instead of 0.01",
    ]
    assert finish.epoch == 4
    rates = [record["learning_rate"] for record in folder.records() if record["record"] == "step"]
    assert rates == [0.01] * 4 + [0.002] * 8
    assert load_spec([folder.spec_path]).training.epochs == 4
    (entry,) = folder.read_json("provenance.json")["resumed"]
    assert entry["step"] == 4
    assert entry["changes"]["training.epochs"] == {"before": 3, "after": 4}


def test_nothing_is_said_where_nothing_changes(workplace: Path) -> None:
    said: list[str] = []
    resume_run(stopped(workplace).path, say=said.append)
    assert said == []


@pytest.mark.parametrize(
    ("setting", "difference"),
    [
        ("seed=4", "`seed`: 3 → 4"),
        ("fusion.dim=16", "`fusion.dim`: 8 → 16"),
        ("sampler.batch_size=2", "`sampler.batch_size`: 4 → 2"),
        ("training.batches_per_step=2", "`training.batches_per_step`: 1 → 2"),
        ("training.monitor=loss", "`training.monitor`: macro_f1 → loss"),
        ("training.layer_decay=0.9", "`training.layer_decay`: 1.0 → 0.9"),
    ],
)
def test_what_would_make_another_experiment_is_refused(workplace: Path, setting: str, difference: str) -> None:
    folder = stopped(workplace)
    with pytest.raises(RunError, match=rf"a run cannot go on with other values of {difference}\. Train anew"):
        resume_run(folder.path, overrides=[setting])
    _, finish = resume_run(folder.path)
    assert finish.outcome == "finished"


def test_other_versions_are_refused_with_the_difference_and_can_be_accepted(workplace: Path) -> None:
    folder = stopped(workplace)
    state = load_checkpoint(folder.last_checkpoint)
    found = state["versions"]["vietmer-fusion-xattn"]
    save_checkpoint(
        folder.last_checkpoint, state={**state, "versions": {**state["versions"], "vietmer-fusion-xattn": "0.0.1"}}
    )
    with pytest.raises(RunError, match=rf"has changed since the run began: `vietmer-fusion-xattn` 0\.0\.1 → {found}\."):
        resume_run(folder.path)
    _, finish = resume_run(folder.path, accept_versions=True)
    assert finish.outcome == "finished"
    (entry,) = folder.read_json("provenance.json")["resumed"]
    assert entry["versions"]["vietmer-fusion-xattn"] == found


def test_a_kill_between_the_new_spec_and_its_first_checkpoint_is_no_obstacle(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stopped(workplace)

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(TrainingLoop, "run", kill)
        with pytest.raises(Killed):
            resume_run(folder.path, overrides=["training.epochs=4"])
    _, finish = resume_run(folder.path)
    assert finish.epoch == 4


def test_a_run_killed_before_its_first_checkpoint_begins_anew(workplace: Path) -> None:
    spec = load_spec([workplace / "spec.yaml"])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    folder = stopped(workplace, at=(0, 1))
    folder.last_checkpoint.unlink()
    resumed, finish = resume_run(folder.path)
    assert finish.outcome == "finished"
    assert same_weights(unbroken, resumed)
    assert unbroken.results() == resumed.results()


def test_a_kill_between_the_end_of_an_epoch_and_its_checkpoint_leaves_one_record_of_it(workplace: Path) -> None:
    class KillAtEnd:
        @hookimpl(trylast=True)
        def end_epoch(self, epoch: EpochRecord) -> None:
            if epoch.epoch == 1:
                raise Killed

    spec = load_spec([workplace / "spec.yaml"], ["training.checkpoint_every=1"])
    unbroken, _ = start_run(spec, root=workplace / "unbroken")
    with pytest.raises(Killed):
        start_run(spec, root=workplace / "runs", observers=[KillAtEnd()])
    (path,) = (workplace / "runs").iterdir()
    resumed, _ = resume_run(path)
    assert unbroken.results() == resumed.results()
    assert same_weights(unbroken, resumed)


def test_other_batches_of_an_epoch_that_has_begun_are_refused(workplace: Path) -> None:
    speed = "augment.waveform=[{kind: speed, factor: [0.5, 1.0]}]"
    budget = ("sampler.batch_size=null", "sampler.max_frames=120")
    folder = stopped(workplace, *budget, at=(1, 1))
    with pytest.raises(
        AssemblyError, match=r"with the batches that it began epoch 2 with, but the sampler gives others"
    ):
        resume_run(folder.path, overrides=[speed])
    resume_run(folder.path, stop_at=(2, 0))
    _, finish = resume_run(folder.path, overrides=[speed])
    assert finish.outcome == "finished"


class Killed(BaseException):
    """It stands for a kill."""


def test_the_best_of_a_course_that_was_never_taken_is_put_back(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_spec([workplace / "spec.yaml"], ["training.monitor=loss", "training.learning_rate=0.001"])
    save_last = Keeper.save_last
    saves = 0

    def kill_at_the_second(self: Keeper, *, seconds: float) -> None:
        nonlocal saves
        saves += 1
        if saves == 2:
            raise Killed
        save_last(self, seconds=seconds)

    with monkeypatch.context() as patched:
        patched.setattr(Keeper, "save_last", kill_at_the_second)
        with pytest.raises(Killed):
            start_run(spec, root=workplace / "runs")
    (path,) = (workplace / "runs").iterdir()
    run = RunFolder(path)
    assert load_checkpoint(run.best_checkpoint)["epoch"] == 1
    resume_run(run.path, overrides=["training.learning_rate=1e-30"], stop_at=(1, 1))
    assert load_checkpoint(run.best_checkpoint)["epoch"] == 0
    status, state = run.read_status(), load_checkpoint(run.last_checkpoint)
    assert status["best_epoch"] == state["progress"]["best_epoch"] == 0
    assert status["best"]["loss"] == state["progress"]["best_value"]
    assert list(run.path.rglob("*.previous.*")) == []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda run: torch.save([1], run.last_checkpoint), "must hold a mapping, but holds list"),
        (lambda run: torch.save({"format": 1, "model": {}}, run.last_checkpoint), "the checkpoint lacks `spec`"),
        (lambda run: run.metrics_path.write_bytes(b"\xff\xfe\n"), "metrics.jsonl:1: is not JSON"),
        (lambda run: run.metrics_path.write_bytes(b"[1]\n"), "metrics.jsonl:1: is no record of a step or an epoch"),
    ],
)
def test_a_damaged_file_of_a_run_is_one_sentence(
    workplace: Path, spoil: Callable[[RunFolder], object], sentence: str
) -> None:
    folder = stopped(workplace)
    spoil(folder)
    with pytest.raises(RunError, match=sentence):
        resume_run(folder.path)


@pytest.mark.slow
def test_a_run_that_is_killed_at_a_random_step_ends_as_one_that_never_was(workplace: Path) -> None:
    settings = ("training.epochs=16", "training.patience=null", "training.checkpoint_every=2")
    options = [word for setting in settings for word in ("--set", setting)]
    done = launch("train", "spec.yaml", "--runs", "unbroken", *options)
    assert done.code == 0, done.err
    (unbroken,) = map(RunFolder, (workplace / "unbroken").iterdir())
    process = Forked("train", "spec.yaml", "--runs", "killed", *options)
    generator = random.Random(20)  # noqa: S311  # no secret
    for _ in range(2):
        wait_for_steps(workplace / "killed", generator.randrange(3, 18))
        process.send_signal(signal.SIGKILL)
        process.wait()
        (run,) = (workplace / "killed").iterdir()
        assert RunFolder(run).read_status()["outcome"] == "killed"
        process = Forked("train", "--resume", run)
    assert process.wait() == 0
    assert RunFolder(run).results() == unbroken.results()
    assert same_weights(unbroken, RunFolder(run))


def test_a_difference_anywhere_in_a_spec_is_found() -> None:
    before = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    assert resuming.differences(before, before) == {}
    after = {"a": {"b": 2, "c": [1, 3]}, "d": {"e": 1}, "f": 0}
    changes = {"a.b": (1, 2), "a.c": ([1, 2], [1, 3]), "d": (None, {"e": 1}), "f": (None, 0)}
    assert resuming.differences(before, after) == changes
