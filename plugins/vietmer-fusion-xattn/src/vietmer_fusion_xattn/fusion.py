"""Cross-attention fusion: project, let each modality attend to the other, join in time."""

from collections.abc import Iterable
from typing import final

from torch import nn

from vietmer_core.components import Modality
from vietmer_core.nn.cross_attention import CrossAttentionBlock
from vietmer_core.nn.packing import concatenate_in_time
from vietmer_core.nn.projection import projection
from vietmer_core.sequence import MaskedSequence
from vietmer_fusion_xattn.blocks import ReferenceBlock


@final
class CrossAttentionFusion(nn.Module):
    """Both modalities → one sequence: the updated text frames, then the updated audio frames.

    Each modality is projected (linear → layer norm) to `dim` and goes through the blocks. A row may lack a modality:
    its other modality is passed on alone, and nothing of the absent one reaches a value or a gradient.

    Args:
        text_dim: Width of the text frames.
        audio_dim: Width of the audio frames.
        dim: Width of the fused sequence, and of the blocks.
        blocks: At least one, applied in turn.
    """

    def __init__(
        self, *, text_dim: int, audio_dim: int, dim: int, blocks: Iterable[CrossAttentionBlock | ReferenceBlock]
    ) -> None:
        super().__init__()
        self.output_dims: tuple[int, ...] = (dim,)
        self.stream_modalities: tuple[tuple[Modality, ...], ...] = ((Modality.TEXT, Modality.AUDIO),)
        self.text_projection = projection(text_dim, dim)
        self.audio_projection = projection(audio_dim, dim)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        """`(batch, tokens, text_dim)`, `(batch, frames, audio_dim)` → one `(batch, tokens + frames, dim)`.

        Lengths are added row by row; the real frames come first and zeros fill the padding.
        """
        text = text.with_features(self.text_projection(text.zeroed().features))  # (batch, tokens, dim)
        audio = audio.with_features(self.audio_projection(audio.zeroed().features))  # (batch, frames, dim)
        for block in self.blocks:
            text, audio = block(text, audio)
        return (concatenate_in_time(text, audio),)
