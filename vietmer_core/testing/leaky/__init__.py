"""Components that break one rule of the house each, to test the kit with: none of them is registered.

Each is a mistake that published code makes. `LEAKS` names the checks that must catch it, and its cure.
"""

from typing import Final

from vietmer_core.testing.leaky.keeping_leaks import KEEPING, SHAPES
from vietmer_core.testing.leaky.leak import Leak
from vietmer_core.testing.leaky.order_leaks import ORDERS
from vietmer_core.testing.leaky.other_leaks import HABITS, OUTSIDE, ROWS
from vietmer_core.testing.leaky.running_leaks import RUNNING
from vietmer_core.testing.leaky.sequence_leaks import AUDIO, OVER_TIME, POOLING
from vietmer_core.testing.leaky.tracker_leaks import TRACKERS

LEAKS: Final[tuple[Leak, ...]] = (
    *(*OVER_TIME, *AUDIO, *POOLING, *HABITS, *RUNNING, *KEEPING, *SHAPES),
    *(*ROWS, *ORDERS, *OUTSIDE, *TRACKERS),
)

__all__ = ["LEAKS", "Leak"]
