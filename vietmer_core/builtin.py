"""The core's own components: poolers, head and loss, registered through the same hook as a stranger's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

if TYPE_CHECKING:
    from vietmer_core.protocols import Head, Loss, Pooler

LICENCE: Final = "Apache-2.0"

Probability = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1)]


class MeanPoolerParams(BaseModel):
    """Parameters of `pooler: mean`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["mean"] = "mean"


class AttentionPoolerParams(BaseModel):
    """Parameters of `pooler: attn`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["attn"] = "attn"
    num_heads: int = Field(default=4, ge=1)


class MLPHeadParams(BaseModel):
    """Parameters of `head: mlp`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["mlp"] = "mlp"
    hidden_dims: tuple[Width, ...] = (256, 128)
    dropout: Probability = 0.1


class CrossEntropyParams(BaseModel):
    """Parameters of `loss: cross_entropy`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["cross_entropy"] = "cross_entropy"


def build_mean_pooler(params: MeanPoolerParams, *, dim: int) -> "Pooler":  # noqa: ARG001  # the signature of its role
    """Make `pooler: mean`."""
    from vietmer_core.nn.pooling import MeanPooler

    return MeanPooler(dim=dim)


def build_attention_pooler(params: AttentionPoolerParams, *, dim: int) -> "Pooler":
    """Make `pooler: attn`."""
    from vietmer_core.nn.pooling import AttentionPooler

    return AttentionPooler(dim=dim, num_heads=params.num_heads)


def build_mlp_head(params: MLPHeadParams, *, dim: int, num_classes: int) -> "Head":
    """Make `head: mlp`."""
    from vietmer_core.nn.head import MLPHead

    return MLPHead(dim=dim, num_classes=num_classes, hidden_dims=params.hidden_dims, dropout=params.dropout)


def build_cross_entropy(params: CrossEntropyParams, *, class_counts: Sequence[int]) -> "Loss":  # noqa: ARG001  # as above
    """Make `loss: cross_entropy`."""
    from vietmer_core.nn.losses import CrossEntropyLoss

    return CrossEntropyLoss()


@hookimpl
def register_components() -> Sequence[Component]:
    """The core's poolers, head and loss."""
    return [
        Component(
            role=Role.POOLER,
            params=MeanPoolerParams,
            build=build_mean_pooler,
            summary="Mean over the real frames.",
            licence=LICENCE,
        ),
        Component(
            role=Role.POOLER,
            params=AttentionPoolerParams,
            build=build_attention_pooler,
            summary="A learned query per head, masked softmax over time.",
            licence=LICENCE,
            tiny={"num_heads": 2},
        ),
        Component(
            role=Role.HEAD,
            params=MLPHeadParams,
            build=build_mlp_head,
            summary="Multilayer perceptron with LeakyReLU and dropout.",
            licence=LICENCE,
            tiny={"hidden_dims": [8]},
        ),
        Component(
            role=Role.LOSS,
            params=CrossEntropyParams,
            build=build_cross_entropy,
            summary="Cross-entropy, one number an utterance.",
            licence=LICENCE,
        ),
    ]
