"""`EmotionModel`: encoders → fusion → poolers → head."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal, cast, final

import torch
from torch import Tensor, nn

from vietmer_core.batch import AUDIO_STREAM, TEXT_STREAM, Batch, Stage, absent_sequence
from vietmer_core.components import Modality
from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.protocols import CacheableEncoder, Encoder, Fusion, Head, Pooler
from vietmer_core.sequence import MaskedSequence

Dropout = Literal["batch", "utterance"]

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
        text = self._frames(Modality.TEXT, batch)
        audio = self._frames(Modality.AUDIO, batch)
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

    def encoder(self, modality: Modality) -> nn.Module | None:
        """The encoder of a modality; None where the model does not read it."""
        return self.text if modality is Modality.TEXT else self.audio

    def has_states(self, modality: Modality) -> bool:
        """Whether the encoder of a modality has a frozen part, whose states may be kept and read again."""
        encoder = self.encoder(modality)
        return isinstance(encoder, CacheableEncoder) and not encoder.obstacle()

    def encode(self, modality: Modality, features: MaskedSequence) -> tuple[MaskedSequence, Stage]:
        """What the frontend gave → the encoder's states where it has a frozen part, else its frames; zeroed.

        Shapes: `(batch, time, ...)` → `(batch, time, dim)`, at the encoder's output lengths.
        """
        encoder = self.encoder(modality)
        if encoder is None:
            return absent_sequence(len(features.lengths), features.features.device), Stage.FRAMES
        if self.has_states(modality):
            states: MaskedSequence = cast("CacheableEncoder", encoder).encode(features.zeroed())
            return states.zeroed(), Stage.STATES
        return self._whole(modality, features, Stage.FEATURES), Stage.FRAMES

    def _frames(self, modality: Modality, batch: Batch) -> MaskedSequence:
        sequence, stage = batch.modality(modality)
        if self.encoder(modality) is None:
            return absent_sequence(len(batch), sequence.features.device)
        return self._whole(modality, sequence, stage)

    def _whole(self, modality: Modality, sequence: MaskedSequence, stage: Stage) -> MaskedSequence:
        sequence = sequence.zeroed()  # the one entry: nothing poisonous passes
        if stage is Stage.FRAMES:
            return sequence
        stream = TEXT_STREAM if modality is Modality.TEXT else AUDIO_STREAM
        encoder: Any = self.encoder(modality)
        with self._dropping(sequence.draws, stream, f"{modality} encoder"):
            frames: MaskedSequence = encoder.finish(sequence) if stage is Stage.STATES else encoder(sequence)
        return frames.zeroed()
