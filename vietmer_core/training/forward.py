"""`ForwardPass`: the forward pass of training as one module, which is what several processes and autocast wrap."""

import math
from typing import Final, final

import torch
from torch import Tensor, nn

from vietmer_core.batch import Batch
from vietmer_core.canonical import CanonicalPasses
from vietmer_core.data.dataset import Sample, collate
from vietmer_core.frontends import Frontends
from vietmer_core.model import EmotionModel
from vietmer_core.sequence import MaskedSequence

TOKENS_OF_A_SECOND: Final = 4


@final
class ForwardPass(nn.Module):
    """Logits `(batch, classes)` of a batch of training.

    Args:
        model: On its device.
        passes: Its canonical passes, where training runs at canonical shapes; None pads the batch.
        widths: Tokens and audio frames to which a modality is padded that no row of a batch has, so that its encoder
            runs all the same; None leaves it out.
    """

    def __init__(
        self, model: EmotionModel, *, passes: CanonicalPasses | None = None, widths: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self._passes = passes
        self._widths = widths

    def forward(self, batch: Batch) -> Tensor:
        """Run the model, at the shapes that the spec asks for."""
        if self._passes is not None:
            return self._passes.logits([batch])
        logits: Tensor = self.model(batch if self._widths is None else widened(batch, *self._widths))
        return logits

    def frames(self, batch: Batch) -> tuple[int, int]:
        """Real and computed frames of the pass of a batch, the last one: audio where there is any, else text."""
        if self._passes is not None:
            return self._passes.frames
        return _frames(batch.audio) or _frames(batch.text) or (1, 1)


def _frames(sequence: MaskedSequence) -> tuple[int, int] | None:
    computed = math.prod(sequence.features.shape[:2])
    return (int(sequence.lengths.sum()), computed) if computed else None


def widened(batch: Batch, tokens: int, frames: int) -> Batch:
    """The batch, with padding in place of a modality that the model reads and no row has."""
    changed = {
        name: MaskedSequence(
            features=sequence.features.new_zeros((len(batch), width, *sequence.features.shape[2:])),
            lengths=sequence.lengths,
            draws=sequence.draws,
        )
        for name, sequence, width in (("text", batch.text, tokens), ("audio", batch.audio, frames))
        if not sequence.features.shape[1] and sequence.features.shape[2]
    }
    return batch.with_sequences(**changed) if changed else batch


def widths_of_a_second(frontends: Frontends) -> tuple[int, int]:
    """Tokens and audio frames of an utterance of about a second: what every encoder can read."""
    audio = frontends.audio
    return TOKENS_OF_A_SECOND, 0 if audio is None else audio.num_frames(audio.sampling_rate)


def absent_batch(frontends: Frontends) -> Batch:
    """One utterance of which nothing is there: what a process runs that has no part in a step, so that none waits."""
    text = None if frontends.text is None else frontends.text("")
    audio = None if frontends.audio is None else frontends.audio(torch.zeros(0))
    return collate([Sample(index=0, text=text, audio=audio, label=0, identity=0)])
