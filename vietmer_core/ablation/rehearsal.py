"""A job that computes nothing: it shows whether an executor reaches the folder, and what it does when one dies.

Torch-free, so that it takes a moment. The conformance checks of executors run on it.
"""

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from vietmer_core.ablation.executor import THREAD_VARIABLES
from vietmer_core.ablation.job_folder import JobFolder
from vietmer_core.errors import RunError


def rehearse(job: JobFolder, document: Mapping[str, Any]) -> dict[str, Any]:
    """Wait for `seconds`, then say where it ran; or fail, or die, where `ends` says so.

    Raises:
        RunError: where it is to fail.
    """
    (job.path / "begun").touch()
    time.sleep(float(document.get("seconds", 0)))
    if document.get("ends") == "fails":
        raise RunError("it was to fail.")
    if document.get("ends") == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"threads": {name: os.environ.get(name) for name in THREAD_VARIABLES}, "note": document.get("note")}
