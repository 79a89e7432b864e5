"""`EmotionModel`: encoders → fusion → poolers → head."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal, cast, final

import torch
from torch import Tensor, nn

from vietmer_core.batch import Batch, absent_sequence
from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.protocols import Encoder, Fusion, Head, Pooler
from vietmer_core.sequence import MaskedSequence

Dropout = Literal["batch", "utterance"]

TEXT_STREAM: Final = 0
AUDIO_STREAM: Final = 1
FUSION_STREAM: Final = 2
HEAD_STREAM: Final = 3
FIRST_POOLER_STREAM: Final = 4


@final
class EmotionModel(nn.Module):
    """From a batch of utterances to logits; what the padding of the batch holds, NaN included, changes nothing.

    Args:
        text: Text encoder, or None where the fusion reads no text.
        audio: Audio encoder, or None where the fusion hears nothing.
        fusion: Joins the modalities into one or several streams.
        poolers: One for each stream, in order.
        head: Classifier over the embeddings side by side.
        dropout: `utterance`: in training, dropout draws for each utterance by itself (`UtteranceDropout`), from the
            seeds of the batch (`Batch.drawn`); a batch without seeds is dropped as torch does. `batch`: always that.
    """

    def __init__(
        self,
        *,
        text: Encoder | None,
        audio: Encoder | None,
        fusion: Fusion,
        poolers: Sequence[Pooler],
        head: Head,
        dropout: Dropout = "batch",
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
        self.dropout = dropout

    def forward(self, batch: Batch) -> Tensor:
        """Logits `(batch, classes)`."""
        embedding = self.embed(batch)  # (batch, sum of dims)
        with self._dropping(batch.draws, HEAD_STREAM, "head"):
            logits: Tensor = self.head(embedding)
        return logits

    def embed(self, batch: Batch) -> Tensor:
        """The embedding that the head reads, `(batch, sum of the streams' dims)`."""
        with self._dropping(batch.text.draws, TEXT_STREAM, "text encoder"):
            text = self._encode(self.text, batch.text)
        with self._dropping(batch.audio.draws, AUDIO_STREAM, "audio encoder"):
            audio = self._encode(self.audio, batch.audio)
        with self._dropping(batch.draws, FUSION_STREAM, "fusion"):
            streams: tuple[MaskedSequence, ...] = self.fusion(text=text, audio=audio)
        pooled = []
        for number, (pooler, stream) in enumerate(zip(self.poolers, streams, strict=True)):
            with self._dropping(batch.draws, FIRST_POOLER_STREAM + number, "pooler"):
                pooled.append(pooler(stream))  # (batch, dim)
        return torch.cat(pooled, dim=-1)  # (batch, sum of dims)

    def _dropping(self, draws: Tensor | None, stream: int, name: str) -> AbstractContextManager[Any]:
        if self.dropout == "batch" or not self.training or draws is None:
            return nullcontext()
        return UtteranceDropout(draws, stream=stream, name=name)

    @staticmethod
    def _encode(encoder: nn.Module | None, sequence: MaskedSequence) -> MaskedSequence:
        if encoder is None:
            return absent_sequence(len(sequence.lengths), sequence.features.device)
        encoded: MaskedSequence = encoder(sequence.zeroed())  # the one entry: nothing poisonous passes
        return encoded.zeroed()
