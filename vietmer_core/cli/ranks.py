"""Which of several processes speaks to the user. Torch-free."""

import os


def is_main_process() -> bool:
    """Whether this is the only process, or the first of those that a launcher has started."""
    return os.environ.get("RANK", "0") == "0"
