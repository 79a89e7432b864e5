"""Fusion by recurrence and cross-attention: read each modality in order, attend to one another, join in time."""

from collections.abc import Iterable
from typing import final

from torch import nn

from vietmer_core.components import Modality
from vietmer_core.nn.cross_attention import CrossAttentionBlock
from vietmer_core.nn.packing import concatenate_in_time
from vietmer_core.sequence import MaskedSequence
from vietmer_fusion_bilstm_attn.gate import StreamGate
from vietmer_fusion_bilstm_attn.stream import RecurrentStream


@final
class RecurrentAttentionFusion(nn.Module):
    """Both modalities → one sequence: the updated text frames, then the updated audio frames.

    A row may lack a modality: its other modality is passed on alone, and nothing of the absent one reaches a value or
    a gradient.

    Args:
        text: From the text frames to width `dim`.
        audio: From the audio frames to width `dim`.
        dim: Width of the fused sequence, and of the blocks.
        blocks: At least one, applied in turn.
        gates: Of the text and of the audio, behind the last block; None for the frames as they are.
    """

    def __init__(
        self,
        *,
        text: RecurrentStream,
        audio: RecurrentStream,
        dim: int,
        blocks: Iterable[CrossAttentionBlock],
        gates: tuple[StreamGate, StreamGate] | None,
    ) -> None:
        super().__init__()
        self.output_dims: tuple[int, ...] = (dim,)
        self.stream_modalities: tuple[tuple[Modality, ...], ...] = ((Modality.TEXT, Modality.AUDIO),)
        self.text = text
        self.audio = audio
        self.blocks = nn.ModuleList(blocks)
        self.text_gate = gates[0] if gates else None
        self.audio_gate = gates[1] if gates else None

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        """`(batch, tokens, text_dim)`, `(batch, frames, audio_dim)` → one `(batch, tokens + frames, dim)`.

        Lengths are added row by row; the real frames come first and zeros fill the padding.
        """
        text, audio = self.text(text), self.audio(audio)
        for block in self.blocks:
            text, audio = block(text, audio)
        if self.text_gate is not None and self.audio_gate is not None:
            text, audio = self.text_gate(text), self.audio_gate(audio)
        return (concatenate_in_time(text, audio),)
