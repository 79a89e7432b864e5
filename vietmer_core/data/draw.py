"""`Draw`: one use of an utterance in training. Torch-free."""

import attrs


@attrs.frozen
class Draw:
    """Which utterance is drawn in which epoch: what augmentation depends on, beside the seed of the run.

    The epoch travels with the position, since a process of the loader outlives an epoch and is told nothing else.

    Attributes:
        index: Position of the utterance in its split.
        epoch: From 0.
    """

    index: int
    epoch: int
