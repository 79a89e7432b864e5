"""A search of tiny experiments, and its trials in this process."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from vietmer_core.ablation.executor import Job, JobEnd
from vietmer_core.ablation.job import do_job
from vietmer_core.ablation.search.loading import Search, load_search
from vietmer_core.ablation.search.searcher import Value
from vietmer_core.catalogue import installed_catalogue

SEARCH: dict[str, Any] = {
    "name": "tiny",
    "base": "base.yaml",
    "trials": 5,
    "axes": {
        "rate": {"field": "training.learning_rate", "low": 1.0e-6, "high": 0.1, "log": True},
        "dim": {"field": "fusion.dim", "low": 4, "high": 16, "step": 4},
        "pooler": {"field": "pooler", "values": ["mean", {"kind": "attn", "num_heads": 2}]},
        "loss": {"levels": {"plain": {}, "focal": {"loss": {"kind": "focal", "gamma": 2.0}}}},
    },
    "search": {"kind": "optuna", "startup_trials": 2, "pruner_startup_trials": 2, "pruner_warmup_epochs": 0},
}


class HereExecutor:
    """Does jobs in this process, which has imported torch."""

    def run(self, jobs: Sequence[Job], /, *, stops: Callable[[], bool]) -> Iterator[JobEnd]:
        for job in jobs:
            if not stops():
                do_job(job.folder)
                yield JobEnd(name=job.name)


def write_search(folder: Path, **changes: Any) -> None:
    document = {**SEARCH, **changes}
    (folder / "search.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def loaded(folder: Path, **changes: Any) -> Search:
    write_search(folder, **changes)
    return load_search(folder / "search.yaml", catalogue=installed_catalogue())


VALUES: dict[str, Value] = {"rate": 0.01, "dim": 8, "pooler": "mean", "loss": "plain"}
