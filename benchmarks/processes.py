"""Two processes that train together beside one that trains alone, on the same batches of real data.

    nox -s bench -- processes FOLDER --checkpoint FOLDER [--utterances N] [--valid N]

FOLDER holds `train.jsonl` and `valid.jsonl` with audio and transcripts, `--checkpoint` the weights of a Whisper, which
stay frozen and whose states lie in the feature cache. `vietmer train` runs as it is, and under `torchrun` with two
processes over gloo, for two epochs. The number of utterances is no multiple of what a step takes, so that the last step
of an epoch is ragged and one process has less of it than the other, or nothing. In float32 the two can differ by
rounding alone, as sums are split in another way; with `dropout: batch`, which each process draws for itself, they
must differ by more: that row shows that the comparison sees a difference.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
import yaml
from torch import Tensor

from vietmer_core.training.checkpoint import load_checkpoint
from vietmer_core.training.run_folder import RunFolder

VIETMER: Final = (sys.executable, "-c", "from vietmer_core.cli.main import app; app()")
TORCHRUN: Final = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--no-python")
BATCH_SIZE: Final = 8
CASES: Final[tuple[dict[str, Any], ...]] = (
    {"batches_per_step": 2, "dropout": "utterance"},
    {"batches_per_step": 3, "dropout": "utterance"},
    {"batches_per_step": 4, "dropout": "utterance"},
    {"batches_per_step": 4, "micro_batch": 3, "dropout": "utterance"},
    {"batches_per_step": 2, "dropout": "batch"},
)


def write_spec(folder: Path, data: Path, checkpoint: Path, *, sizes: Mapping[str, int]) -> Path:
    """A spec over so many utterances of each split, spread evenly."""
    labels: set[str] = set()
    for split, size in sizes.items():
        lines = (data / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        count = min(size, len(lines))
        chosen = [lines[number * len(lines) // count] for number in range(count)]
        labels |= {json.loads(line)["emotion"] for line in chosen}
        (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in chosen), encoding="utf-8")
    document = {
        "labels": sorted(labels),
        "threads": 1,
        "data": {split: {"path": f"{split}.jsonl", "root": str(data.absolute())} for split in sizes},
        "text": {"kind": "syllable", "dim": 64, "hidden_dim": 128, "dropout": 0.1},
        "audio": {"kind": "whisper", "checkpoint": str(checkpoint.absolute())},
        "fusion": {"kind": "xattn", "dim": 64, "num_heads": 4, "dropout": 0.1},
        "pooler": "attn",
        "head": {"kind": "mlp", "hidden_dims": [64], "dropout": 0.2},
        "sampler": {"kind": "length_bucket", "batch_size": BATCH_SIZE},
        "cache": {"folder": "./features"},
        "training": {"epochs": 2, "learning_rate": 1e-3, "device": "cpu"},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return folder / "spec.yaml"


def trained(spec: Path, settings: Mapping[str, Any], *, launcher: Sequence[str] = ()) -> RunFolder:
    """A run in processes of its own."""
    name = "-".join([str(value) for value in settings.values()] + ["two" if launcher else "one"])
    root = spec.parent / name
    overrides = [part for field, value in settings.items() for part in ("--set", f"training.{field}={value}")]
    command = [*launcher, *VIETMER, "train", str(spec), "--runs", str(root), *overrides]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # this program
    if done.returncode:
        sys.exit(f"{' '.join(command)}: left with {done.returncode}\n{done.stderr}")
    return RunFolder(next(path.parent for path in root.glob("*/status.json")))


def largest(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> float:
    """Largest difference of any weight."""
    assert before.keys() == after.keys()
    return max(float((before[name].double() - after[name].double()).abs().max()) for name in before)


def predictions(run: RunFolder) -> dict[str, Tensor]:
    """The probabilities of each utterance of the validation split, which must stand there once."""
    rows = [json.loads(line) for line in run.predictions_path("valid").read_text(encoding="utf-8").splitlines()]
    found = {row["utterance_id"]: torch.tensor(list(row["probabilities"].values())).double() for row in rows}
    assert len(found) == len(rows)
    return found


def steps_of(run: RunFolder) -> list[dict[str, Any]]:
    """The records of its steps."""
    return [record for record in run.records() if record["record"] == "step"]


def print_case(settings: Mapping[str, Any], one: RunFolder, two: RunFolder, *, num_valid: int) -> None:
    """A row of the table."""
    pairs = list(zip(steps_of(one), steps_of(two), strict=True))
    assert all(own["num_utterances"] == other["num_utterances"] for own, other in pairs)
    loss = max(abs(own["loss"] - other["loss"]) for own, other in pairs)
    last, best = (
        largest(load_checkpoint(getattr(one, name))["model"], load_checkpoint(getattr(two, name))["model"])
        for name in ("last_checkpoint", "best_checkpoint")
    )
    own, other = predictions(one), predictions(two)
    assert own.keys() == other.keys()
    seconds = [run.read_status()["seconds"] for run in (one, two)]
    cells = [
        str(settings["batches_per_step"]),
        str(settings.get("micro_batch", "–")),
        f"`{settings['dropout']}`",
        f"{len(pairs)}, of {pairs[-1][0]['num_utterances']}",
        *(f"{figure:.1e}" for figure in (loss, last, best, largest(own, other))),
        f"{len(other)} of {num_valid}",
        *(f"{value:.1f}" for value in seconds),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, metavar="FOLDER")
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--utterances", type=int, default=331)
    parser.add_argument("--valid", type=int, default=85)
    given = parser.parse_args()
    print(
        "| batches a step | micro-batch | dropout | steps, utterances of the last | largest difference: loss of a step "
        "| last weights | best weights | validation probabilities | utterances predicted | one process, s | two, s |\n"
        "|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    with tempfile.TemporaryDirectory() as name:
        sizes = {"train": given.utterances, "valid": given.valid}
        spec = write_spec(Path(name), given.data, given.checkpoint, sizes=sizes)
        trained(spec, {"batches_per_step": 1})  # fills the feature cache
        alone: dict[tuple[int, str], RunFolder] = {}
        for settings in CASES:
            whole = {field: value for field, value in settings.items() if field != "micro_batch"}
            key = (settings["batches_per_step"], settings["dropout"])
            one = alone.get(key) or trained(spec, whole)
            alone[key] = one
            print_case(settings, one, trained(spec, settings, launcher=TORCHRUN), num_valid=given.valid)


if __name__ == "__main__":
    main()
