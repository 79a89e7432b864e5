"""A run that says how many states it has computed: `filling_counted.py SPEC NAME`."""

import sys
from pathlib import Path

from vietmer_core.hooks import hookimpl
from vietmer_core.records import CacheRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.runs import start_run


class Counting:
    """Notes the last number of each split."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    @hookimpl
    def fill_cache(self, progress: CacheRecord) -> None:
        """Of the run."""
        self.done[progress.split] = progress.num_done


counting = Counting()
start_run(load_spec([Path(sys.argv[1])], [f"name={sys.argv[2]}"]), root=Path("runs"), observers=[counting])
sys.stdout.write(f"{sum(counting.done.values())}\n")
