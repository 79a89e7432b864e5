"""`vietmer`, with the mistake that many loops of several processes make: each divides by its own utterances."""

from collections.abc import Sequence
from typing import Any

from vietmer_core.batch import Batch
from vietmer_core.cli.main import app
from vietmer_core.training.steps import StepOutcome, Stepper

take = Stepper.take


def take_own_mean(self: Stepper, batches: Sequence[Batch], *, num_utterances: int, **more: Any) -> StepOutcome:
    own = sum(map(len, batches))
    return take(self, batches, num_utterances=own * self._processes.world_size if own else num_utterances, **more)


Stepper.take = take_own_mean  # type: ignore[method-assign]  # the mistake

app()
