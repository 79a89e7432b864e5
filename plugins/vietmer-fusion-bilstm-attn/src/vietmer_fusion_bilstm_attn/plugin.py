"""What this plugin offers: `fusion: bilstm_attn`. Torch is imported when the fusion is built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_fusion_bilstm_attn.params import BiLSTMAttentionParams

if TYPE_CHECKING:
    from vietmer_core.protocols import Fusion


def build(params: BiLSTMAttentionParams, *, text_dim: int, audio_dim: int) -> "Fusion":
    """Make `fusion: bilstm_attn`."""
    from vietmer_fusion_bilstm_attn.factory import make_fusion

    return make_fusion(params, text_dim=text_dim, audio_dim=audio_dim)


@hookimpl
def register_components() -> Sequence[Component]:
    """The fusion of BiLSTMs and cross-attention."""
    return [
        Component(
            role=Role.FUSION,
            params=BiLSTMAttentionParams,
            build=build,
            summary="A BiLSTM over each modality, then text and audio attend to each other.",
            licence="Apache-2.0",
            tiny={"dim": 16, "hidden_dim": 6, "num_heads": 2},
        )
    ]
