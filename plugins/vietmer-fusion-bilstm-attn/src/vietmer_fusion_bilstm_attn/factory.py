"""Puts the fusion together from its parameters."""

from collections.abc import Callable

from vietmer_core.nn.convolution import TemporalCNN
from vietmer_core.nn.cross_attention import CrossAttentionBlock
from vietmer_core.nn.recurrent import BiLSTM
from vietmer_fusion_bilstm_attn.fusion import RecurrentAttentionFusion
from vietmer_fusion_bilstm_attn.gate import StreamGate
from vietmer_fusion_bilstm_attn.params import RecurrentAttentionSettings
from vietmer_fusion_bilstm_attn.stream import RecurrentStream


def make_fusion(
    params: RecurrentAttentionSettings,
    *,
    text_dim: int,
    audio_dim: int,
    make_convolutions: Callable[[], TemporalCNN] | None = None,
) -> RecurrentAttentionFusion:
    """Make the fusion.

    Args:
        params: Its parameters, whatever their kind.
        text_dim: Width of the text frames.
        audio_dim: Width of the audio frames.
        make_convolutions: Makes what stands between the projection of a modality and its BiLSTM, of width `dim`;
            called once for each. Nothing stands there without it.
    """

    def stream(input_dim: int) -> RecurrentStream:
        convolutions = None if make_convolutions is None else make_convolutions()
        recurrence = BiLSTM(
            input_dim=params.dim, hidden_dim=params.hidden_dim, num_layers=params.num_layers, dropout=params.dropout
        )
        return RecurrentStream(input_dim=input_dim, dim=params.dim, convolutions=convolutions, recurrence=recurrence)

    def block() -> CrossAttentionBlock:
        return CrossAttentionBlock(
            dim=params.dim,
            num_heads=params.num_heads,
            hidden_dim=params.feed_forward_factor * params.dim,
            dropout=params.dropout,
            sequential=params.order == "sequential",
        )

    streams = stream(text_dim), stream(audio_dim)
    blocks = [block() for _ in range(params.num_blocks)]
    gates = (StreamGate(params.dim), StreamGate(params.dim)) if params.merge == "gate" else None
    return RecurrentAttentionFusion(text=streams[0], audio=streams[1], dim=params.dim, blocks=blocks, gates=gates)
