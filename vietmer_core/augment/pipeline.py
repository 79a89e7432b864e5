"""The operations of a run, one after the other. Torch-free."""

from collections.abc import Callable
from typing import final

import attrs

from vietmer_core.augment.operation import Waveform, WaveformOperation
from vietmer_core.augment.streams import operation_numbers


@attrs.frozen(kw_only=True)
class DrawnOperation:
    """An operation, and how often it is used.

    Attributes:
        name: Names its random numbers: its kind, and which of its kind it is (`noise.0`), so that another operation
            beside it changes nothing of what it draws.
        probability: Share of the utterances that are changed.
        operation: What is done.
    """

    name: str
    probability: float
    operation: WaveformOperation


@final
@attrs.frozen(kw_only=True, eq=False)
class WaveformAugmentation:
    """Changes the waveform of an utterance in training, as the seed, the epoch and its identity say.

    An operation is left out for an utterance that could not be used behind it: one that is too short for a frame, or
    in which every sample is equal. An utterance that cannot be used to begin with is left as it is.

    Attributes:
        operations: In order.
        seed: Of the run's augmentation.
    """

    operations: tuple[DrawnOperation, ...]
    seed: int

    def __call__(self, waveform: Waveform, *, identity: int, epoch: int, num_frames: Callable[[int], int]) -> Waveform:
        """The changed waveform, `(samples,)` → `(other samples,)`; the given one is not written to.

        Args:
            waveform: At the rate of the audio frontend.
            identity: Of the utterance.
            epoch: From 0.
            num_frames: Frames that the audio frontend makes of so many samples.
        """
        if not _is_usable(waveform, num_frames):
            return waveform
        for drawn in self.operations:
            numbers = operation_numbers(seed=self.seed, epoch=epoch, identity=identity, operation=drawn.name)
            if numbers.random() < drawn.probability:
                changed = drawn.operation(waveform, numbers)
                waveform = changed if _is_usable(changed, num_frames) else waveform
        return waveform


def _is_usable(waveform: Waveform, num_frames: Callable[[int], int]) -> bool:
    return len(waveform) > 0 and num_frames(len(waveform)) > 0 and bool((waveform != waveform[0]).any())
