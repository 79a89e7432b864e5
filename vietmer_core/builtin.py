"""The core's own components: poolers, head, losses, an executor, registered through the same hook as others'."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from vietmer_core.ablation.local import LocalParams, build_local
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl
from vietmer_core.nn.class_weights import WeightedLossParams, label_weights

if TYPE_CHECKING:
    from vietmer_core.protocols import Head, Loss, Pooler

LICENCE: Final = "Apache-2.0"

Probability = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1)]


class FirstFramePoolerParams(BaseModel):
    """Parameters of `pooler: cls`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["cls"] = "cls"


class MeanPoolerParams(BaseModel):
    """Parameters of `pooler: mean`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["mean"] = "mean"


class MaxPoolerParams(BaseModel):
    """Parameters of `pooler: max`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["max"] = "max"


class MinPoolerParams(BaseModel):
    """Parameters of `pooler: min`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["min"] = "min"


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


class CrossEntropyParams(WeightedLossParams):
    """Parameters of `loss: cross_entropy`."""

    kind: Literal["cross_entropy"] = "cross_entropy"


class FocalParams(WeightedLossParams):
    """Parameters of `loss: focal`."""

    kind: Literal["focal"] = "focal"
    gamma: float = Field(default=1.5, ge=0, strict=True)


class LabelSmoothingParams(WeightedLossParams):
    """Parameters of `loss: label_smoothing`."""

    kind: Literal["label_smoothing"] = "label_smoothing"
    epsilon: float = Field(default=0.05, ge=0, lt=1, strict=True)

    def check_labels(self, labels: Sequence[str]) -> None:
        """As `WeightedLossParams.check_labels`; `epsilon` must leave the label more than each other one, too."""
        super().check_labels(labels)
        limit = 1 - 1 / len(labels)
        if self.epsilon >= limit:
            raise ValueError(
                f"`epsilon` must be below {limit:.4g} with {len(labels)} labels, where each would have the same share "
                f"of the target, but is {self.epsilon:g} instead."
            )


def build_first_frame_pooler(params: FirstFramePoolerParams, *, dim: int) -> "Pooler":  # noqa: ARG001  # the signature of its role
    """Make `pooler: cls`."""
    from vietmer_core.nn.pooling import FirstFramePooler

    return FirstFramePooler(dim=dim)


def build_mean_pooler(params: MeanPoolerParams, *, dim: int) -> "Pooler":  # noqa: ARG001  # as above
    """Make `pooler: mean`."""
    from vietmer_core.nn.pooling import MeanPooler

    return MeanPooler(dim=dim)


def build_max_pooler(params: MaxPoolerParams, *, dim: int) -> "Pooler":  # noqa: ARG001  # as above
    """Make `pooler: max`."""
    from vietmer_core.nn.pooling import MaxPooler

    return MaxPooler(dim=dim)


def build_min_pooler(params: MinPoolerParams, *, dim: int) -> "Pooler":  # noqa: ARG001  # as above
    """Make `pooler: min`."""
    from vietmer_core.nn.pooling import MinPooler

    return MinPooler(dim=dim)


def build_attention_pooler(params: AttentionPoolerParams, *, dim: int) -> "Pooler":
    """Make `pooler: attn`."""
    from vietmer_core.nn.pooling import AttentionPooler

    return AttentionPooler(dim=dim, num_heads=params.num_heads)


def build_mlp_head(params: MLPHeadParams, *, dim: int, num_classes: int) -> "Head":
    """Make `head: mlp`."""
    from vietmer_core.nn.head import MLPHead

    return MLPHead(dim=dim, num_classes=num_classes, hidden_dims=params.hidden_dims, dropout=params.dropout)


def build_cross_entropy(params: CrossEntropyParams, *, class_counts: Mapping[str, int]) -> "Loss":
    """Make `loss: cross_entropy`."""
    from vietmer_core.nn.losses import CrossEntropyLoss

    return CrossEntropyLoss(weights=label_weights(params, class_counts))


def build_focal(params: FocalParams, *, class_counts: Mapping[str, int]) -> "Loss":
    """Make `loss: focal`."""
    from vietmer_core.nn.losses import FocalLoss

    return FocalLoss(gamma=params.gamma, weights=label_weights(params, class_counts))


def build_label_smoothing(params: LabelSmoothingParams, *, class_counts: Mapping[str, int]) -> "Loss":
    """Make `loss: label_smoothing`.

    Raises:
        ValueError: if `epsilon` leaves the label no more than the others.
    """
    from vietmer_core.nn.losses import LabelSmoothingLoss

    params.check_labels(list(class_counts))
    return LabelSmoothingLoss(epsilon=params.epsilon, weights=label_weights(params, class_counts))


@hookimpl
def register_components() -> Sequence[Component]:
    """The core's poolers, head, losses and executor."""
    return [*_poolers(), *_heads(), *_losses(), *_executors()]


def _poolers() -> list[Component]:
    return [
        Component(
            role=Role.POOLER,
            params=FirstFramePoolerParams,
            build=build_first_frame_pooler,
            summary="The first real frame.",
            licence=LICENCE,
        ),
        Component(
            role=Role.POOLER,
            params=MeanPoolerParams,
            build=build_mean_pooler,
            summary="Mean over the real frames.",
            licence=LICENCE,
        ),
        Component(
            role=Role.POOLER,
            params=MaxPoolerParams,
            build=build_max_pooler,
            summary="Largest value of each column over the real frames.",
            licence=LICENCE,
        ),
        Component(
            role=Role.POOLER,
            params=MinPoolerParams,
            build=build_min_pooler,
            summary="Smallest value of each column over the real frames.",
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
    ]


def _heads() -> list[Component]:
    return [
        Component(
            role=Role.HEAD,
            params=MLPHeadParams,
            build=build_mlp_head,
            summary="Multilayer perceptron with LeakyReLU and dropout.",
            licence=LICENCE,
            tiny={"hidden_dims": [8]},
        ),
    ]


def _losses() -> list[Component]:
    return [
        Component(
            role=Role.LOSS,
            params=CrossEntropyParams,
            build=build_cross_entropy,
            summary="Cross-entropy.",
            licence=LICENCE,
        ),
        Component(
            role=Role.LOSS,
            params=FocalParams,
            build=build_focal,
            summary="Focal loss: what is already classified well counts less.",
            licence=LICENCE,
        ),
        Component(
            role=Role.LOSS,
            params=LabelSmoothingParams,
            build=build_label_smoothing,
            summary="Cross-entropy with a share of each target spread over the other labels.",
            licence=LICENCE,
        ),
    ]


def _executors() -> list[Component]:
    return [
        Component(
            role=Role.EXECUTOR,
            params=LocalParams,
            build=build_local,
            summary="Processes of this machine that share its cores.",
            licence=LICENCE,
            tiny={"jobs": 1},
        ),
    ]
