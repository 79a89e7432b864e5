"""Which of several processes speaks to the user. Torch-free."""

import os
from collections.abc import Callable
from typing import TypeVar

from vietmer_core.errors import ElsewhereError, VietmerError

Given = TypeVar("Given")


def is_main_process() -> bool:
    """Whether this is the only process, or the first of those that a launcher has started."""
    return os.environ.get("RANK", "0") == "0"


def alike(act: Callable[[], Given]) -> Given:
    """Do what every process does alike: a user's mistake is told by the main one alone.

    Raises:
        VietmerError: what `act` raises; in other processes as an `ElsewhereError`.
    """
    try:
        return act()
    except ElsewhereError:
        raise
    except VietmerError as error:
        if is_main_process():
            raise
        raise ElsewhereError(str(error), exit_code=error.exit_code) from None
