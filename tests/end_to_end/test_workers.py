"""The loader in processes of its own: the same batches and weights under `spawn` as under `fork` as without."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.forked import Forked
from vietmer_core.training.run_folder import RunFolder

pytestmark = pytest.mark.slow


def train_in_a_process(workplace: Path, name: str, *overrides: str) -> dict[str, torch.Tensor]:
    """In a process of its own, as the command line does it; a test process that forks torch may deadlock."""
    settings = [argument for override in overrides for argument in ("--set", override)]
    process = Forked("train", "spec.yaml", "--runs", name, *settings, folder=workplace)
    assert process.wait() == 0, process.err
    (run,) = (workplace / name).iterdir()
    weights: dict[str, torch.Tensor] = torch.load(RunFolder(run).last_checkpoint, weights_only=True)["model"]
    return weights


def test_spawn_fork_and_no_worker_train_the_same_weights(workplace: Path) -> None:
    alone = train_in_a_process(workplace, "alone")
    for method in ("spawn", "fork"):
        found = train_in_a_process(workplace, method, "loader.workers=2", f"loader.start_method={method}")
        assert all(torch.equal(alone[name], found[name]) for name in alone), method


def test_a_fault_in_a_worker_is_one_sentence(workplace: Path) -> None:
    (workplace / "corpus" / "audio" / "train_05.wav").write_bytes(b"RIFF, but no more")
    settings = ["--set", "loader.workers=1", "--set", "loader.start_method=fork", "--set", "data.fingerprint=size"]
    process = Forked("train", "spec.yaml", *settings, folder=workplace)
    assert process.wait() == 3
    assert "Traceback" not in process.err
    assert "train.jsonl:6" in process.err


def test_ctrl_c_to_the_whole_group_leaves_a_run_that_resumes(workplace: Path) -> None:
    """As a terminal sends it: to the workers too, here while those of the validation split are starting."""
    alone = train_in_a_process(workplace, "alone")
    settings = ["spec.yaml", "--runs", "stopped", "--set", "loader.workers=1", "--set", "loader.start_method=spawn"]
    process = Forked("train", *settings, folder=workplace, leads=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        steps = [line for path in workplace.glob("stopped/*/metrics.jsonl") for line in path.read_text().splitlines()]
        if len(steps) >= 3:
            break
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130, process.err
    assert "Traceback" not in process.out + process.err
    (run,) = (workplace / "stopped").iterdir()
    resumed = Forked("train", "--resume", run, folder=workplace)
    assert resumed.wait() == 0, resumed.err
    found: dict[str, torch.Tensor] = torch.load(RunFolder(run).last_checkpoint, weights_only=True)["model"]
    assert all(torch.equal(alone[name], found[name]) for name in alone)
