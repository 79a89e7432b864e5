"""Training utterances that cannot be used: they end the run, or are left out and counted."""

from collections.abc import Sequence
from typing import final

from vietmer_core.batch import Batch
from vietmer_core.data.loader import Fault, Loaded
from vietmer_core.errors import ChangedFileError, DataError
from vietmer_core.training.experiment import Experiment
from vietmer_core.training.processes import Processes
from vietmer_core.training.state import TrainingState


@final
class Faults:
    """Holds what the loader gives to the policy of the spec, `data.faults`.

    Args:
        experiment: What is trained.
        state: Notes what is cut, padded or left out.
        processes: All of the run; a fault in one ends it in all.
    """

    def __init__(self, experiment: Experiment, state: TrainingState, *, processes: Processes) -> None:
        self._skips = experiment.spec.data.faults == "skip"
        self._state = state
        self._processes = processes
        self._fatal: Fault | None = None

    def kept(self, loaded: Sequence[Loaded]) -> list[Batch]:
        """The batches of what can be used."""
        noted = self._state.noted
        for draw in loaded:
            noted.cut.update(draw.tokens_cut)
            noted.padded.update(draw.samples_added)
            for fault in draw.faults:
                if self._skips and issubclass(fault.error, DataError) and fault.error is not ChangedFileError:
                    noted.skipped[fault.index] = fault.sentence
                elif self._fatal is None:
                    self._fatal = fault
        return [draw.batch for draw in loaded if draw.batch is not None]

    def count(self, batches: Sequence[Batch], *, planned: int) -> int:
        """Utterances of the step that are left, over all processes.

        Args:
            batches: Of this process.
            planned: Utterances of the step, over all processes.

        Raises:
            VietmerError: if any process has met an utterance that cannot be used and may not be left out.
        """
        own = None if self._fatal is None else self._fatal.error(self._fatal.sentence)
        if self._processes.world_size == 1:
            if own is not None:
                raise own
            return sum(map(len, batches))
        count, faults = self._processes.total(sum(map(len, batches)), own is not None)
        if faults:
            told = None if own is None else (type(own).__name__, str(own), own.exit_code)
            self._processes.raise_first(self._processes.gathered(told), own=own)
        assert self._skips or count == planned
        return int(count)
