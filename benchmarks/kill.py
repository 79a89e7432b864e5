"""SIGKILL at random points of a training on real data: is each resumed run that of the run never killed, to the bit?

    nox -s bench -- kill FOLDER --checkpoint FOLDER [--points N] [--utterances N] [--seed N] [--keep FOLDER]

FOLDER holds `train.jsonl` and `valid.jsonl` with audio and transcripts, `--checkpoint` the weights of a Whisper, which
stay frozen and whose states lie in the feature cache. A model with dropout is trained for two epochs without a break,
as `vietmer train` in a process of its own, and its times are noted. Then each point: the same command is killed with
SIGKILL, `vietmer train --resume` goes on, is killed again at some points, and is left to finish at last. Of three
points one is uniform in the time of the training, one hits the writing of a checkpoint (within 20 ms of its
beginning), and one is killed two or three times. Compared are the whole last checkpoint (weights, optimiser,
schedule, position, random states), the best weights, the records of every step and epoch, and the predictions.

The comparison must be able to fail: a run of another seed, and a run killed once whose checkpoint is given other random
states before it is resumed, must differ.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import attrs
import torch
import yaml

from vietmer_core.training.checkpoint import load_checkpoint, save_checkpoint
from vietmer_core.training.run_folder import RunFolder

VIETMER: Final = (sys.executable, "-c", "from vietmer_core.cli.main import app; app()")
POLL_SECONDS: Final = 0.002
WRITING_SECONDS: Final = 0.02  # of a checkpoint, about
CHECKPOINT_EVERY: Final = 5
MEASURED: Final = "progress.seconds"  # of a checkpoint: two equal runs have it otherwise


@attrs.frozen(kw_only=True)
class Moment:
    """When to kill: a delay after a record is seen, or after the next writing of a checkpoint is seen to begin."""

    record: int
    delay: float = 0.0
    while_writing: bool = False


@attrs.frozen(kw_only=True)
class Kill:
    """What a kill left: the last record written, the step to resume from, whether a file was left half written."""

    last: str
    step: int
    is_unfinished: bool


@final
class Training:
    """`vietmer train` in a process of its own, in a new folder under `root` or resuming `run`."""

    def __init__(self, root: Path, *, run: RunFolder | None = None, spec: Path | None = None, seed: int = 0) -> None:
        new = ["train", str(spec), "--runs", str(root), "--set", f"seed={seed}"]
        arguments = new if run is None else ["train", "--resume", str(run.path)]
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._run = run
        self._log = (root / "log.txt").open("ab")
        self._process = subprocess.Popen([*VIETMER, *arguments], stdout=self._log, stderr=subprocess.STDOUT)  # noqa: S603  # this program
        self._is_training = False

    @property
    def run(self) -> RunFolder | None:
        """Its folder, once it trains."""
        if self._run is None:
            self._run = next((RunFolder(path.parent) for path in self._root.glob("*/status.json")), None)
        if self._run is None or self._is_training:
            return self._run
        self._is_training = self._run.read_json("status.json").get("process") == self._process.pid
        return self._run if self._is_training else None

    @property
    def started(self) -> RunFolder:
        """Its folder; it trains."""
        assert self.run is not None
        return self.run

    def ends(self) -> bool:
        """Whether the process is gone.

        Raises:
            SystemExit: if it failed.
        """
        code = self._process.poll()
        if code:
            sys.exit(f"the training left with {code}; see {self._root / 'log.txt'}")
        return code is not None

    def times(self) -> Iterator[float]:
        """The time at which each record was there; ends with the process."""
        num_seen = 0
        while not self.ends():
            path = None if self.run is None else self.run.metrics_path
            found = path.read_bytes().count(b"\n") if path is not None and path.exists() else 0
            yield from [time.monotonic()] * (found - num_seen)
            num_seen = max(num_seen, found)
            time.sleep(POLL_SECONDS)

    def killed(self, moment: Moment) -> Kill | None:
        """Kill it at a moment; None if it came to its end before."""
        for number, _ in enumerate(self.times()):
            if number == moment.record:
                break
        while moment.while_writing and not self.ends() and not unfinished(self.started, self._process.pid):
            pass
        time.sleep(moment.delay)
        if self.ends():
            return None
        self._process.kill()
        self._process.wait()
        self._log.close()
        return left(self.started, self._process.pid)

    def finished(self) -> RunFolder:
        """Wait for its end."""
        deque(self.times(), maxlen=0)
        self._log.close()
        return self.started


def unfinished(run: RunFolder, process: int) -> list[Path]:
    """Checkpoints of a run that a process has begun to write and not finished."""
    return list((run.path / "checkpoints").glob(f".*.{process}.tmp"))


def write_spec(folder: Path, data: Path, checkpoint: Path, *, utterances: int) -> Path:
    """A spec over so many utterances, spread evenly over each split."""
    labels: set[str] = set()
    for split in ("train", "valid"):
        lines = (data / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        count = min(utterances if split == "train" else utterances // 4, len(lines))
        chosen = [lines[number * len(lines) // count] for number in range(count)]
        labels |= {json.loads(line)["emotion"] for line in chosen}
        (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in chosen), encoding="utf-8")
    document = {
        "name": "killed",
        "labels": sorted(labels),
        "threads": 1,
        "data": {split: {"path": f"{split}.jsonl", "root": str(data.absolute())} for split in ("train", "valid")},
        "text": {"kind": "syllable", "dim": 64, "hidden_dim": 128, "dropout": 0.1},
        "audio": {"kind": "whisper", "checkpoint": str(checkpoint.absolute())},
        "fusion": {"kind": "xattn", "dim": 64, "num_heads": 4, "dropout": 0.1},
        "pooler": "attn",
        "head": {"kind": "mlp", "hidden_dims": [64], "dropout": 0.2},
        "sampler": {"kind": "length_bucket", "batch_size": 8},
        "cache": {"folder": "./features"},
        "training": {"epochs": 2, "learning_rate": 1e-3, "device": "cpu", "checkpoint_every": CHECKPOINT_EVERY},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return folder / "spec.yaml"


def moments(times: Sequence[float], *, point: int, numbers: random.Random) -> list[Moment]:
    """The kills of a point, in the order of the training; the instants are uniform in its time."""
    kind, count = point % 3, numbers.choice((2, 3)) if point % 3 == 2 else 1
    found = []
    for instant in sorted(numbers.uniform(times[0], times[-1]) for _ in range(count)):
        record = max(number for number, seen in enumerate(times) if seen <= instant)
        delay = numbers.uniform(0.0, WRITING_SECONDS) if kind == 1 else instant - times[record]
        found.append(Moment(record=record, delay=delay, while_writing=kind == 1))
    return found


def left(run: RunFolder, process: int) -> Kill:
    """What a killed process left of a run."""
    records = list(run.records())
    step = load_checkpoint(run.last_checkpoint)["progress"]["step"] if run.last_checkpoint.exists() else 0
    last = "none" if not records else f"{records[-1]['record']} {records[-1]['step']}"
    return Kill(last=last, step=step, is_unfinished=bool(unfinished(run, process)))


def values(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a checkpoint, by dotted name."""
    if isinstance(tree, Mapping):
        for key, inner in tree.items():
            yield from values(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(tree, list | tuple):
        for number, inner in enumerate(tree):
            yield from values(inner, f"{name}.{number}")
    else:
        yield name, tree


def is_equal(before: Any, after: Any) -> bool:
    """To the bit."""
    is_tensor = isinstance(before, torch.Tensor) and isinstance(after, torch.Tensor)
    return type(before) is type(after) and bool(torch.equal(before, after) if is_tensor else before == after)


def differences(before: RunFolder, after: RunFolder) -> list[str]:
    """What is not the same in two runs, a clause each."""
    found = []
    for name in ("last_checkpoint", "best_checkpoint"):
        pair = [dict(values(load_checkpoint(getattr(run, name)))) for run in (before, after)]
        names = [key for key in {**pair[0], **pair[1]} if key != MEASURED]
        other = [key for key in names if not is_equal(pair[0].get(key), pair[1].get(key))]
        if other:
            found.append(f"{len(other)} of {len(names)} values of `{getattr(before, name).name}`, first `{other[0]}`")
    if before.results() != after.results():
        found.append("the records")
    if before.predictions_path("valid").read_bytes() != after.predictions_path("valid").read_bytes():
        found.append("the predictions")
    return found


def resumed(folder: Path, spec: Path, kills: Sequence[Moment]) -> tuple[RunFolder, list[Kill]] | None:
    """A new run killed at each moment and resumed to its end; None where it had ended before."""
    run, found = None, []
    for moment in kills:
        training = Training(folder, run=run, spec=spec)
        kill = training.killed(moment)
        if kill is None:
            return None
        run = training.started
        found.append(kill)
    return Training(folder, run=run).finished(), found


def print_point(title: str, unbroken: RunFolder, run: RunFolder, kills: Sequence[Kill]) -> bool:
    """A row of the table; whether all is equal."""
    other = differences(unbroken, run)
    cells = [
        "; ".join(kill.last for kill in kills) or "–",
        "; ".join(f"step {kill.step}" if kill.step else "nothing" for kill in kills) or "–",
        "; ".join("yes" if kill.is_unfinished else "no" for kill in kills) or "–",
        "; ".join(other) or "nothing",
    ]
    print(f"| {title} | {' | '.join(cells)} |", flush=True)
    return not other


def spoilt(folder: Path, spec: Path, moment: Moment) -> RunFolder:
    """A run killed once and resumed from a checkpoint with other random states."""
    training = Training(folder, spec=spec)
    training.killed(moment)
    path = training.started.last_checkpoint
    state = load_checkpoint(path)
    state.pop("format")
    state["random"][0]["cpu"] = torch.Generator().manual_seed(1).get_state()
    save_checkpoint(path, state=state)
    return Training(folder, run=training.started).finished()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, metavar="FOLDER")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FOLDER")
    for option, default in (("--points", 20), ("--utterances", 480), ("--seed", 0)):
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keeps the runs there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        sys.exit(0 if examine(folder, given) else 1)


def examine(folder: Path, given: argparse.Namespace) -> bool:
    """Print the table; whether every resumed run is that of the unbroken one, and both others are not."""
    spec = write_spec(folder, given.data, given.checkpoint, utterances=given.utterances)
    for name in ("warm", "unbroken"):  # the first fills the feature cache
        training = Training(folder / name, spec=spec)
        times = list(training.times())
        unbroken = training.finished()
    num_steps = unbroken.read_status()["step"]
    print(f"{num_steps} steps in {times[-1] - times[0]:.1f} s; a checkpoint every {CHECKPOINT_EVERY}.\n")
    print("| point | last record at the kill | resumed from | half-written checkpoint | what differs |\n|" + "---|" * 5)
    numbers, num_equal = random.Random(given.seed), 0  # noqa: S311  # draws of an experiment
    for point in range(given.points):
        made = None
        while made is None:  # a run that had ended, or had no folder yet, is drawn again
            place = folder / f"point-{point + 1}"
            shutil.rmtree(place, ignore_errors=True)
            made = resumed(place, spec, moments(times, point=point, numbers=numbers))
        num_equal += print_point(str(point + 1), unbroken, *made)
    other = Training(folder / "seed", spec=spec, seed=1).finished()
    differs = not print_point("another seed", unbroken, other, [])
    spoiled = spoilt(folder / "spoilt", spec, Moment(record=len(times) // 3))  # much is still drawn after it
    differs &= not print_point("other random states", unbroken, spoiled, [])
    print(f"\n{num_equal} of {given.points} resumed runs are equal to the unbroken one in every bit.")
    return differs and num_equal == given.points


if __name__ == "__main__":
    main()
