"""`EmotionModel`: encoders → fusion → poolers → head."""

from collections.abc import Sequence
from typing import cast, final

import torch
from torch import Tensor, nn

from vietmer_core.batch import Batch, absent_sequence
from vietmer_core.protocols import Encoder, Fusion, Head, Pooler
from vietmer_core.sequence import MaskedSequence


@final
class EmotionModel(nn.Module):
    """From a batch of utterances to logits; what the padding of the batch holds, NaN included, changes nothing.

    Args:
        text: Text encoder, or None where the fusion reads no text.
        audio: Audio encoder, or None where the fusion hears nothing.
        fusion: Joins the modalities into one or several streams.
        poolers: One for each stream, in order.
        head: Classifier over the embeddings side by side.
    """

    def __init__(
        self, *, text: Encoder | None, audio: Encoder | None, fusion: Fusion, poolers: Sequence[Pooler], head: Head
    ) -> None:
        super().__init__()
        if len(poolers) != len(fusion.output_dims):
            raise ValueError(
                f"`poolers` must have one pooler for each of the {len(fusion.output_dims)} streams of the fusion, "
                f"but has {len(poolers)} instead."
            )
        self.text = cast("nn.Module | None", text)
        self.audio = cast("nn.Module | None", audio)
        self.fusion = cast("nn.Module", fusion)
        self.poolers = nn.ModuleList(cast("nn.Module", pooler) for pooler in poolers)
        self.head = cast("nn.Module", head)

    def forward(self, batch: Batch) -> Tensor:
        """Logits `(batch, classes)`."""
        logits: Tensor = self.head(self.embed(batch))
        return logits

    def embed(self, batch: Batch) -> Tensor:
        """The embedding that the head reads, `(batch, sum of the streams' dims)`."""
        text = self._encode(self.text, batch.text)
        audio = self._encode(self.audio, batch.audio)
        streams: tuple[MaskedSequence, ...] = self.fusion(text=text, audio=audio)
        pooled = [pooler(stream) for pooler, stream in zip(self.poolers, streams, strict=True)]
        return torch.cat(pooled, dim=-1)  # (batch, sum of dims)

    @staticmethod
    def _encode(encoder: nn.Module | None, sequence: MaskedSequence) -> MaskedSequence:
        if encoder is None:
            return absent_sequence(len(sequence.lengths), sequence.features.device)
        encoded: MaskedSequence = encoder(sequence.zeroed())  # the one entry: nothing poisonous passes
        return encoded.zeroed()
