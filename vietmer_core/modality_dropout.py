"""Modality dropout: some utterances of a training batch lose their text, others their audio.

So that a model hears and reads well when one of the two is missing; as in "ModDrop" (Neverova et al. 2016), but a row
never loses everything.
"""

from typing import Final

from vietmer_core.batch import Batch
from vietmer_core.nn.draws import uniforms
from vietmer_core.spec_augmentation import ModalityDropoutSpec

_STREAM: Final = 0
"""Of the batch's own seeds, from which nothing else takes numbers directly."""


def drop_modalities(batch: Batch, rates: ModalityDropoutSpec) -> Batch:
    """Take a modality away from some of the rows that have both.

    An utterance draws one number from its own seed: below `rates.text` it loses its text, from 1 - `rates.audio` on its
    audio. What it loses does not depend on the batch.

    Args:
        batch: With draws (`Batch.drawn`), at any stage.
        rates: Shares that lose a modality; at most 1 together.

    Raises:
        ValueError: if the batch has no draws and a rate is above 0.
    """
    if not rates.text and not rates.audio:
        return batch
    if batch.draws is None:
        raise ValueError("`draws` must be int64 of shape (batch,) for an utterance to draw, but is None instead.")
    numbers = uniforms(batch.draws, stream=_STREAM, shape=()).double()  # (batch,)
    has_both = (batch.text.lengths > 0) & (batch.audio.lengths > 0)  # (batch,)
    text = has_both & (numbers < rates.text)
    audio = has_both & (numbers >= 1 - rates.audio)
    return batch.without(text=text, audio=audio)
