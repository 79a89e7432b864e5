"""What a Slurm job calls: `do_job`, told to save its run before the time limit, and requeued by submitit then."""

import signal
from pathlib import Path
from types import FrameType
from typing import final

from submitit.core.job_environment import JobEnvironment
from submitit.core.utils import DelayedSubmission

from vietmer_core.ablation.job import do_job
from vietmer_core.errors import VietmerError


@final
class DoJob:
    """Does the job of a folder.

    submitit's own handler of the signal before the time limit would leave the interpreter in the middle of a step. Here
    the signal becomes SIGTERM, after which the run saves itself; then submitit's handler is called.
    """

    def __call__(self, folder: str) -> str:
        """Do it; why it could not be done at all, or nothing."""
        number = getattr(signal, f"SIG{JobEnvironment.USR_SIG}")
        asked: list[int] = []

        def save(found: int, frame: FrameType | None) -> None:
            del frame
            asked.append(found)
            signal.raise_signal(signal.SIGTERM)

        requeue = signal.signal(number, save)
        try:
            status = do_job(Path(folder))
        except VietmerError as error:
            return str(error)
        finally:
            signal.signal(number, requeue)
        if status == "interrupted" and asked and callable(requeue):
            requeue(asked[0], None)  # leaves the interpreter
        return ""

    def checkpoint(self, folder: str) -> DelayedSubmission:
        """What a requeued job calls: the same, since the folder says how far it is."""
        return DelayedSubmission(self, folder)
