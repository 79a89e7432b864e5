"""Two processes that train together: what one process computes, to rounding, whatever share each of them has."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
import yaml

from tests.end_to_end.conftest import tiny_spec, write_corpus
from tests.end_to_end.launching import Launched, command, environment, launch, only_run, torchrun, wait_for_steps
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.cli.main import app
from vietmer_core.data.splits import open_split
from vietmer_core.errors import EXIT_USAGE, AssemblyError
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.experiment import with_batches_per_step
from vietmer_core.training.replay import replay
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import start_run
from vietmer_core.training.sharding import check_equal_passes

pytestmark = pytest.mark.slow

UNEQUAL = ("training.batches_per_step=4", "training.micro_batch=3", "training.checkpoint_every=2")
"""Steps of 4 batches of up to 5, the last of an epoch with fewer, each cut to passes of up to 3 utterances."""


def write_workplace(folder: Path) -> Path:
    """A corpus of 26 utterances, of which batches of 5 make shares that are never equal, and its spec."""
    write_corpus(folder / "corpus", utterances=26)
    spec = tiny_spec(sampler={"kind": "length_bucket", "batch_size": 5})
    spec["training"] = {**spec["training"], "epochs": 2, "dropout": "utterance"}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh one, the current folder."""
    monkeypatch.chdir(write_workplace(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run of one process to which the others are held."""
    folder = write_workplace(tmp_path_factory.mktemp("alone"))
    options = [word for setting in UNEQUAL for word in ("--set", setting)]
    done = launch("train", folder / "spec.yaml", "--runs", folder / "runs", *options)
    assert done.code == 0, done.err
    return only_run(folder / "runs")


def train(root: str, *settings: str, processes: int, script: Path | None = None) -> Launched:
    options = [word for setting in settings for word in ("--set", setting)]
    return launch("train", "spec.yaml", "--runs", root, *options, processes=processes, script=script)


def trained(root: str, *settings: str, processes: int, script: Path | None = None) -> RunFolder:
    done = train(root, *settings, processes=processes, script=script)
    assert done.code == 0, done.err
    return only_run(Path(root))


def losses(folder: RunFolder) -> list[float]:
    """The loss of every step, and that of every validation."""
    return [
        record["loss"] if record["record"] == "step" else record["valid_metrics"]["loss"] for record in folder.records()
    ]


def farthest(first: Sequence[float], second: Sequence[float]) -> float:
    assert len(first) == len(second) > 0
    return max(abs(one - other) for one, other in zip(first, second, strict=True))


def predicted(folder: RunFolder) -> list[str]:
    rows = folder.predictions_path("valid").read_text(encoding="utf-8").splitlines()
    return [json.loads(row)["utterance_id"] for row in rows]


def test_two_processes_train_as_one_does_and_validate_every_utterance_once(alone: RunFolder) -> None:
    options = [word for setting in UNEQUAL for word in ("--set", setting)]
    done = torchrun("train", "spec.yaml", "--runs", "together", *options, processes=2)
    assert done.code == 0, done.err
    together = only_run(Path("together"))
    assert farthest(losses(alone), losses(together)) < 1e-5
    assert predicted(alone) == predicted(together) == [f"valid_{index:02d}" for index in range(13)]
    counts = [record["num_utterances"] for record in together.records() if record["record"] == "step"]
    assert sum(counts) == 2 * 26
    assert len(set(counts)) > 1


def test_a_loss_divided_by_each_process_alone_would_be_noticed(alone: RunFolder) -> None:
    broken = trained("broken", *UNEQUAL, processes=2, script=Path(__file__).with_name("mean_of_means.py"))
    assert farthest(losses(alone), losses(broken)) > 1e-3


def test_pieces_of_a_model_train_as_the_whole_does_and_go_on_as_a_whole(
    workplace: Path, save_whisper: Callable[..., Path]
) -> None:
    """Layers that are freed later, an encoder without dropout, and a step in which one process has no share."""
    save_whisper(workplace / "whisper", dropout=0.0)
    audio = "audio={kind: whisper, checkpoint: ./whisper, train_layers: 2, unfreeze: {first_epoch: 1}}"
    settings = (audio, 'training.learning_rates={"audio.pretrained": 0.01}', "training.batches_per_step=2")
    whole = trained("whole", *settings, processes=1)
    pieces = trained("pieces", *settings, "training.sharding=fsdp", processes=2)
    assert farthest(losses(whole), losses(pieces)) < 1e-5
    expected, found = (load_checkpoint(run.last_checkpoint)["model"] for run in (whole, pieces))
    assert expected.keys() == found.keys()
    assert max(float((found[name] - weight).abs().max()) for name, weight in expected.items()) < 1e-3
    resumed = launch("train", "--resume", pieces.path, "--set", "training.epochs=3", "--set", "training.sharding=none")
    assert resumed.code == 0, resumed.err
    assert "the number of processes is 1 instead of 2" in resumed.out
    assert [record["epoch"] for record in pieces.records() if record["record"] == "epoch"] == [0, 1, 2]


def test_an_encoder_that_reads_any_length_at_once_may_be_in_pieces() -> None:
    for audio in ("fourier2vec", "{kind: wav2vec2, checkpoint: ./wav2vec2, window_seconds: null}"):
        spec = load_spec([Path("spec.yaml")], ["training.sharding=fsdp", f"audio={audio}"])
        check_equal_passes(spec, {"train": open_split(spec, "train", installed_catalogue())})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["shapes.training=canonical"], r"`training.sharding: fsdp` and `shapes.training: canonical` contradict"),
        (
            ["audio={kind: whisper, checkpoint: ./whisper, window_seconds: 0.4, overlap_seconds: 0.1}"],
            r"train_\d\d` must be at most `audio.window_seconds` \(0.4 s\) long .* but lasts 0\.5 s instead",
        ),
    ],
)
def test_what_would_make_processes_wait_for_ever_is_refused(settings: list[str], sentence: str) -> None:
    spec = load_spec([Path("spec.yaml")], ["training.sharding=fsdp", *settings])
    catalogue = installed_catalogue()
    with pytest.raises(AssemblyError, match=sentence):
        check_equal_passes(spec, {"train": open_split(spec, "train", catalogue)})
    whole = spec.model_copy(update={"training": spec.training.model_copy(update={"sharding": "none"})})
    check_equal_passes(whole, {"train": open_split(whole, "train", catalogue)})


def test_what_one_process_cannot_use_ends_all_with_one_sentence_and_the_run_resumes(workplace: Path) -> None:
    recording = workplace / "corpus" / "audio" / "train_05.wav"
    whole = recording.read_bytes()
    recording.write_bytes(b"?" * len(whole))
    settings = ("data.fingerprint=size", "training.epochs=1")
    done = train("runs", *settings, processes=2)
    (sentence,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "train.jsonl:6: audio file" in sentence
    assert "cannot be decoded" in sentence
    recording.write_bytes(whole)
    (run,) = Path("runs").iterdir()
    resumed = launch("train", "--resume", run, processes=2)
    assert resumed.code == 0, resumed.err
    expected = trained("expected", *settings, "training.batches_per_step=2", processes=1)
    assert farthest(losses(RunFolder(run)), losses(expected)) < 1e-5


def test_what_every_process_meets_is_said_once() -> None:
    lacking = train("runs", "data.train=nowhere.jsonl", processes=2)
    assert lacking.err.count("does not exist. Check the path.") == 1


@pytest.mark.parametrize(("rank", "said"), [("0", 1), ("1", 0)])
def test_a_mistake_in_the_spec_is_said_by_the_main_process_alone(
    rank: str, said: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(sys, "argv", ["vietmer", "train", "spec.yaml", "--set", "training.epoch=3"])
    with pytest.raises(SystemExit) as caught:
        app()
    assert caught.value.code == EXIT_USAGE
    assert capsys.readouterr().err.count("there is no such field; did you mean `epochs`?") == said


def test_a_process_without_work_and_pieces_for_one_process_are_refused() -> None:
    spec = load_spec([Path("spec.yaml")], ["training.batches_per_step=1"])
    with pytest.raises(
        AssemblyError, match=r"`training.batches_per_step` must be at least the number of processes, 2,"
    ):
        with_batches_per_step(spec, 2)
    with pytest.raises(AssemblyError, match=r"`training.sharding: fsdp` must go with several processes"):
        start_run(load_spec([Path("spec.yaml")], ["training.sharding=fsdp"]), root=Path("runs"))


def test_a_step_that_is_not_finite_is_said_once_and_saved_whole() -> None:
    done = train("runs", "training.learning_rate=1e30", "training.gradient_clip=null", processes=2)
    assert done.err.count("error: the loss of step") == 1
    found = replay(only_run(Path("runs")).path)
    assert not found.is_finite
    assert len(found.losses) > 5  # of both processes: a batch has 5 at most


def test_a_process_that_is_killed_leaves_one_sentence_and_a_run_that_resumes(workplace: Path) -> None:
    options = ["--set", "training.epochs=300", "--set", "training.patience=null"]
    arguments = command("train", "spec.yaml", "--runs", "runs", *options, processes=2)
    process = subprocess.Popen(arguments, env=environment(), stderr=subprocess.PIPE, text=True)
    wait_for_steps(workplace / "runs", 12)
    status = only_run(workplace / "runs").read_status()
    trainers = psutil.Process(process.pid).children()
    (other,) = [child for child in trainers if child.pid != status["process"]]
    other.kill()
    _, err = process.communicate(timeout=120)
    sentences = [line for line in err.splitlines() if "error: " in line and "torch" not in line]
    assert len(sentences) == 1
    assert sentences[0].startswith("error: another process of the run has ended")
    assert "[rank0]: Traceback" not in err
    run = only_run(workplace / "runs")
    done = launch("train", "--resume", run.path, "--set", f"training.epochs={run.read_status()['epoch'] + 1}")
    assert done.code == 0, done.err
