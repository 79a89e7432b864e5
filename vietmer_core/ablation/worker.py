"""A process that does jobs one after another, for `executor: local`: folders come in, a line each, and ends go out.

It imports torch once. Where its input ends, because whoever started it is gone, it ends after the job under way.
"""

import json
import os
import signal
import sys
from pathlib import Path

from vietmer_core.ablation.job import do_job
from vietmer_core.errors import VietmerError


def main() -> int:
    """Do jobs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # nothing but answers goes where they are read
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started this one decides
    for line in sys.stdin:
        try:
            answer: dict[str, str] = {"status": do_job(Path(json.loads(line)["folder"]))}
        except VietmerError as error:
            answer = {"status": "lost", "reason": str(error)}
        try:
            answers.write(json.dumps(answer) + "\n")
        except BrokenPipeError:
            return 0  # whoever started it is gone; the folder says what came out
        if answer["status"] == "interrupted":
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
