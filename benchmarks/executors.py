"""A matrix by each executor: its time, the same results to the bit, and a node of a cluster that dies in the middle.

Run: `python benchmarks/executors.py` (needs vietmer-executor-ray). Prints a Markdown table.

The matrix, unless `--matrix` gives another: text of the demo corpus, a narrow `syllable` encoder, two poolers × two
seeds, each cell with one thread: cells of a second or two, so that most of each time is what an executor costs. Every
run has a folder of its own.
`processes` is how many do cells at a time; times are of the whole command: start, reading, splits, cells, and for Ray
the start of its cluster where the command starts one. `equal` says how many cells have scores and predictions that are
the same, byte for byte, as those of the first run. The last run has a cluster of two nodes of one core each, started
here; one is killed while both do cells.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs
import yaml

MATRIX: Final[dict[str, Any]] = {
    "name": "executors",
    "set": {
        "labels": ["angry", "happy", "neutral", "sad"],
        "threads": 1,
        "data": {split: {"corpus": {"kind": "demo", "split": split}} for split in ("train", "valid", "test")},
        "text": {"kind": "syllable", "dim": 16, "num_layers": 0},
        "fusion": {"kind": "text_only", "dim": 16},
        "head": {"hidden_dims": [16]},
        "sampler": {"kind": "uniform", "batch_size": 32},
        "training": {"patience": None, "device": "cpu"},
    },
    "axes": {"pooler": {"field": "pooler", "values": ["mean", "max"]}},
    "replicates": {"seed": {"field": "seed", "values": [0, 1]}},
}
RUNS: Final = {
    "local-1": ("local", 1),
    "local-2": ("local", 2),
    "ray-1": ("ray", 1),
    "ray-2": ("ray", 2),
    "killed": ("ray, a node killed", 2),
}
NODE: Final[dict[str, Any]] = {"num_cpus": 1, "object_store_memory": 80 * 1024**2}


@attrs.frozen(kw_only=True)
class Asked:
    """What every run does.

    Attributes:
        matrix: A file; the matrix above where None.
        options: Of `vietmer ablate`.
    """

    matrix: Path | None
    options: tuple[str, ...]


def run(folder: Path, executor: str, asked: Asked, *, watch: Callable[[], None] = lambda: None) -> float:
    """Run the command; the seconds that it takes."""
    matrix = asked.matrix or folder / "matrix.yaml"
    if asked.matrix is None:
        matrix.write_text(yaml.safe_dump(MATRIX), encoding="utf-8")
    command = [sys.executable, "-m", "vietmer_core", "ablate", str(matrix), "--to", str(folder), "--no-audit"]
    command += ["--no-table", "--executor", executor, *asked.options]
    began = time.perf_counter()
    with (folder.parent / f"{folder.name}.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  # our own command
        while process.poll() is None:
            watch()
            time.sleep(0.1)
    if process.returncode:
        sys.exit((folder.parent / f"{folder.name}.txt").read_text(encoding="utf-8"))
    return time.perf_counter() - began


def digests(folder: Path) -> dict[str, str]:
    """Of the scores and predictions of each cell, by its name."""
    found = {}
    for cell in sorted(folder.glob("*/cells/*")):
        predictions = next(cell.glob("run/predictions/test*.jsonl")).read_bytes()
        scores = json.loads(next(cell.glob("run/evaluation/test/scores.json")).read_text(encoding="utf-8"))
        scores.pop("audit", None)
        found[cell.name] = hashlib.sha256(predictions + json.dumps(scores, sort_keys=True).encode()).hexdigest()
    return found


def begun(folder: Path) -> list[Path]:
    """Cells that are being trained, and have a checkpoint."""
    cells = [path.parents[2] for path in folder.glob("*/cells/*/run/checkpoints/last.pt")]
    return [cell for cell in cells if not (cell / "outcome.json").exists()]


def with_a_death(folder: Path, asked: Asked) -> float:
    """Run on two nodes, of which one is killed once both train; the seconds that it takes."""
    from vietmer_executor_ray.usage_data import switch_off_usage_data

    switch_off_usage_data()
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    node = cluster.add_node(**NODE)
    killed: list[float] = []

    def watch() -> None:
        if not killed and len(begun(folder)) == 2:
            killed.append(time.perf_counter())
            cluster.remove_node(node, allow_graceful=False)

    try:
        seconds = run(folder, f"{{kind: ray, address: '{cluster.address}'}}", asked, watch=watch)
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]  # Ray does not type it
    if not killed:
        sys.exit("the matrix ended before a node was killed: give it more epochs.")
    return seconds


def attempts(folder: Path) -> list[int]:
    """How often each cell was begun."""
    return [len(path.read_text(encoding="utf-8").splitlines()) for path in folder.glob("*/cells/*/attempts.jsonl")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10, help="Of a cell of the matrix above.")
    parser.add_argument("--matrix", type=Path, metavar="FILE", help="Another matrix, with the epochs that it says.")
    parser.add_argument("--only", action="append", default=[], metavar="AXIS=LEVELS", help="Some cells of it.")
    parser.add_argument("--to", type=Path, help="Keep the folders here.")
    parser.add_argument(
        "--runs", nargs="+", default=list(RUNS), choices=list(RUNS), help="Some of them, in this order."
    )
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    epochs = () if arguments.matrix else ("--set", f"training.epochs={arguments.epochs}")
    chosen = [word for condition in arguments.only for word in ("--only", condition)]
    asked = Asked(matrix=arguments.matrix and arguments.matrix.absolute(), options=(*epochs, *chosen))
    with TemporaryDirectory() as temporary:
        root = (arguments.to or Path(temporary)).absolute()
        first: dict[str, str] = {}
        print("| executor | processes | s | cells | equal | begun again |\n|---|---|---|---|---|---|", flush=True)
        for name in arguments.runs:
            kind, jobs = RUNS[name]
            folder = root / name
            folder.mkdir(parents=True)
            if name == "killed":
                seconds = with_a_death(folder, asked)
            else:
                seconds = run(folder, f"{{kind: {kind}, jobs: {jobs}}}", asked)
            found = digests(folder)
            first = first or found
            equal = sum(first.get(name) == digest for name, digest in found.items())
            again = sum(number - 1 for number in attempts(folder))
            print(f"| {kind} | {jobs} | {seconds:.1f} | {len(found)} | {equal} | {again} |", flush=True)


if __name__ == "__main__":
    main()
