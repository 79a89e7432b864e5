"""A run that is killed once so many states are kept: `filling_killed.py SPEC STATES`."""

import os
import signal
import sys
from pathlib import Path

from vietmer_core.features import filling
from vietmer_core.hooks import hookimpl
from vietmer_core.records import CacheRecord
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.runs import start_run

filling.AT_ONCE = 2  # type: ignore[misc]  # so that there is a middle


class Killer:
    """Kills its own process."""

    @hookimpl
    def fill_cache(self, progress: CacheRecord) -> None:
        """Of the run."""
        if progress.num_done >= int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)


start_run(load_spec([Path(sys.argv[1])]), root=Path("runs"), observers=[Killer()])
