"""Runs that train from the feature cache, and what is read of them."""

import json
from pathlib import Path
from typing import Any

import torch

from vietmer_core.hooks import hookimpl
from vietmer_core.records import CacheRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.runs import start_run

WINDOWS = {"window_seconds": 0.4, "overlap_seconds": 0.1}
CANONICAL = "shapes.training=canonical"


class Watcher:
    """An observer that keeps what it is told of the cache."""

    def __init__(self) -> None:
        self.told: list[CacheRecord] = []

    @hookimpl
    def fill_cache(self, progress: CacheRecord) -> None:
        self.told.append(progress)

    @property
    def first(self) -> dict[str, CacheRecord]:
        return {record.split: record for record in reversed(self.told)}

    @property
    def encoded(self) -> int:
        """Utterances computed."""
        last = {record.split: record.num_done for record in self.told}
        return sum(last.values())


def train(path: Path, *overrides: str, observers: Any = ()) -> RunFolder:
    folder, _ = start_run(load_spec([path], overrides), root=path.parent / "runs", observers=observers)
    return folder


def losses(folder: RunFolder) -> list[float]:
    rows = [json.loads(line) for line in folder.metrics_path.read_text(encoding="utf-8").splitlines()]
    return [row["loss"] for row in rows if row["record"] == "step"]


def trained(folder: RunFolder) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder.last_checkpoint, weights_only=True)["model"]
    return state


def shards(path: Path) -> list[Path]:
    return sorted((path.parent / "cache").glob("*/*.safetensors"))
