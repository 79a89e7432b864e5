"""What this plugin offers: `fusion: cnn_bilstm_attn`. Torch is imported when the fusion is built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator
from vietmer_fusion_bilstm_attn.params import RecurrentAttentionSettings

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.nn.convolution import TemporalCNN
    from vietmer_core.protocols import Fusion


class CNNBiLSTMAttentionParams(RecurrentAttentionSettings):
    """Parameters of `fusion: cnn_bilstm_attn`: those of `bilstm_attn`, and the convolutions before it."""

    kind: Literal["cnn_bilstm_attn"] = "cnn_bilstm_attn"
    cnn_layers: int = Field(default=2, ge=1, description="Convolutions of each modality, one after the other.")
    kernel_size: int = Field(default=3, ge=1, description="Frames that a convolution reads, an odd number.")
    dilation_growth: int = Field(
        default=1, ge=1, description="Layer l, from 0, reads every `dilation_growth ** l`-th frame."
    )
    cnn_dropout: float = Field(default=0.1, ge=0, lt=1, description="After the activation of each convolution.")

    @field_validator("kernel_size")
    @classmethod
    def _kernel_is_odd(cls, kernel_size: int) -> int:
        if kernel_size % 2 == 0:
            raise ValueError(
                f"`kernel_size` must be odd, so that a frame reads as many before it as behind it, but is "
                f"{kernel_size} instead. Set {kernel_size - 1} or {kernel_size + 1}."
            )
        return kernel_size


def build(params: CNNBiLSTMAttentionParams, *, text_dim: int, audio_dim: int) -> "Fusion":
    """Make `fusion: cnn_bilstm_attn`."""
    from vietmer_fusion_bilstm_attn.factory import make_fusion

    from vietmer_core.nn.convolution import TemporalCNN

    def convolutions() -> "TemporalCNN":
        return TemporalCNN(
            dim=params.dim,
            num_layers=params.cnn_layers,
            kernel_size=params.kernel_size,
            dropout=params.cnn_dropout,
            dilation_growth=params.dilation_growth,
        )

    return make_fusion(params, text_dim=text_dim, audio_dim=audio_dim, make_convolutions=convolutions)


@hookimpl
def register_components() -> Sequence[Component]:
    """The fusion of convolutions, BiLSTMs and cross-attention."""
    return [
        Component(
            role=Role.FUSION,
            params=CNNBiLSTMAttentionParams,
            build=build,
            summary="A temporal CNN and a BiLSTM over each modality, then text and audio attend to each other.",
            licence="Apache-2.0",
            tiny={"dim": 16, "hidden_dim": 6, "num_heads": 2},
        )
    ]
