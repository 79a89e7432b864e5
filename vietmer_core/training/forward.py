"""`ForwardPass`: the forward pass of training as one module, which is what several processes and autocast wrap."""

import math
from typing import final

import torch
from torch import Tensor, nn

from vietmer_core.batch import Batch
from vietmer_core.canonical import CanonicalPasses
from vietmer_core.data.dataset import Sample, collate
from vietmer_core.frontends import Frontends
from vietmer_core.model import EmotionModel
from vietmer_core.sequence import MaskedSequence


@final
class ForwardPass(nn.Module):
    """Logits `(batch, classes)` of a batch of training.

    Args:
        model: On its device.
        passes: Its canonical passes, where training runs at canonical shapes; None pads the batch.
    """

    def __init__(self, model: EmotionModel, *, passes: CanonicalPasses | None = None) -> None:
        super().__init__()
        self.model = model
        self._passes = passes

    def forward(self, batch: Batch) -> Tensor:
        """Run the model, at the shapes that the spec asks for."""
        if self._passes is not None:
            return self._passes.logits([batch])
        logits: Tensor = self.model(batch)
        return logits

    def frames(self, batch: Batch) -> tuple[int, int]:
        """Real and computed frames of the pass of a batch, the last one: audio where there is any, else text."""
        if self._passes is not None:
            return self._passes.frames
        return _frames(batch.audio) or _frames(batch.text) or (1, 1)


def _frames(sequence: MaskedSequence) -> tuple[int, int] | None:
    computed = math.prod(sequence.features.shape[:2])
    return (int(sequence.lengths.sum()), computed) if computed else None


def absent_batch(frontends: Frontends) -> Batch:
    """One utterance of which nothing is there: what a process runs that has no part in a step, so that none waits."""
    text = None if frontends.text is None else frontends.text("")
    audio = None if frontends.audio is None else frontends.audio(torch.zeros(0))
    return collate([Sample(index=0, text=text, audio=audio, label=0, identity=0)])
