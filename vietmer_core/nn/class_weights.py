"""Class weights, the same for every loss: their parameters, and the weight of each label. Torch-free."""

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vietmer_core.spec_wording import shown

WeightMode = Literal["none", "inverse_frequency", "effective_number"]
Weight = Annotated[float, Field(gt=0, strict=True)]
DEFAULT_BETA: Final = 0.999

_MODES: Final[tuple[str, ...]] = get_args(WeightMode)
_MODE: Final = "one of the modes"
_GIVEN: Final = "a weight for each label"


def _mode_or_weights(value: object) -> object:
    if isinstance(value, Mapping) or (isinstance(value, str) and value in _MODES):
        return value
    near = get_close_matches(value, _MODES, n=1, cutoff=0.4) if isinstance(value, str) else []
    remedy = f" Did you mean `{near[0]}`?" if near else ""
    names = ", ".join(f"`{mode}`" for mode in _MODES)
    sentence = f"must be {names}, or a mapping from each label to its weight, but is {shown(value)} instead.{remedy}"
    raise PydanticCustomError("stated", "{sentence}", {"sentence": sentence})


def _which(value: Any) -> str:
    return _GIVEN if isinstance(value, Mapping) else _MODE


ClassWeights = Annotated[
    Annotated[WeightMode, Tag(_MODE)] | Annotated[dict[str, Weight], Tag(_GIVEN)],
    Discriminator(_which),
    BeforeValidator(_mode_or_weights),
]


class WeightedLossParams(BaseModel):
    """Fields that all losses share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    class_weights: ClassWeights = Field(
        default="none",
        description="How much an utterance of each label counts: `none` all alike, `inverse_frequency`, "
        "`effective_number`, or a mapping from each label to its weight.",
    )
    beta: float = Field(
        default=DEFAULT_BETA,
        ge=0,
        lt=1,
        strict=True,
        description="`effective_number` alone: from 0, where all labels count alike, towards 1, `inverse_frequency`.",
    )

    @field_validator("beta")
    @classmethod
    def _belongs_to_effective_number(cls, beta: float, info: ValidationInfo) -> float:
        mode = info.data.get("class_weights", "effective_number")
        if mode != "effective_number" and beta != DEFAULT_BETA:
            raise ValueError(
                f"`beta` must be left out unless `class_weights` is `effective_number`, which alone uses it, "
                f"but is {beta:g} instead."
            )
        return beta

    def check_labels(self, labels: Sequence[str]) -> None:
        """Hold the parameters to the label space of a spec, which calls this.

        Raises:
            ValueError: if weights are given, but not for just these labels.
        """
        if isinstance(self.class_weights, dict):
            _require_the_labels(self.class_weights, labels)


def label_weights(params: WeightedLossParams, class_counts: Mapping[str, int]) -> tuple[float, ...] | None:
    """The weight w of each label, in order, or None where all count alike.

    Before scaling, with n the training utterances of a label, w is

    - 1 / n for `inverse_frequency`;
    - (1 - beta) / (1 - beta^n), one over the effective number of samples, for `effective_number` (Cui et al. 2019,
      "Class-balanced loss based on effective number of samples");
    - as given otherwise.

    All are then scaled by one factor, so that the mean of w over the training utterances is 1: the weights move the
    loss from label to label and leave its size, and so the learning rate, alone.

    Args:
        params: Parameters of a loss.
        class_counts: Training utterances of each label, in the order of the label space.

    Raises:
        ValueError: if a mode needs utterances of a label and there is none, or the given labels are not those of the
            label space.
    """
    chosen = params.class_weights
    if chosen == "none":
        return None
    if isinstance(chosen, dict):
        _require_the_labels(chosen, list(class_counts))
        raw = [chosen[label] for label in class_counts]
    else:
        _require_utterances(chosen, class_counts)
        raw = [1 / effective_number(count, beta=_beta(params)) for count in class_counts.values()]
    return _scaled(raw, list(class_counts.values()))


def _beta(params: WeightedLossParams) -> float:
    return params.beta if params.class_weights == "effective_number" else 1.0


def effective_number(count: int, *, beta: float) -> float:
    """(1 - beta^count) / (1 - beta), without cancellation; `count` itself in the limit beta = 1.

    Args:
        count: Utterances, at least 1.
        beta: From 0 to 1.
    """
    if beta == 1:
        return float(count)
    if beta == 0:
        return 1.0
    return -math.expm1(count * math.log(beta)) / (1 - beta)


def _scaled(raw: list[float], counts: list[int]) -> tuple[float, ...]:
    if not any(counts):
        raise ValueError("`class_weights` needs training utterances, but there is none.")
    largest = max(raw)
    relative = [weight / largest for weight in raw]  # so that no sum overflows
    mean = math.fsum(count * weight for count, weight in zip(counts, relative, strict=True)) / sum(counts)
    return tuple(weight / mean for weight in relative)


def _names(labels: Sequence[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _require_utterances(mode: str, class_counts: Mapping[str, int]) -> None:
    absent = [label for label, count in class_counts.items() if not count]
    if absent:
        raise ValueError(
            f"`class_weights: {mode}` needs training utterances of every label, but there is none of {_names(absent)}. "
            "Add some, give the weights as a mapping, or remove the label from `labels`."
        )


def _require_the_labels(given: Mapping[str, float], labels: Sequence[str]) -> None:
    strange = [label for label in given if label not in labels]
    if strange:
        near = get_close_matches(strange[0], labels, n=1)
        remedy = f" Did you mean `{near[0]}`?" if near else ""
        raise ValueError(
            f"`class_weights` must name the labels {_names(labels)}, but names {_names(strange)} as well.{remedy}"
        )
    missing = [label for label in labels if label not in given]
    if missing:
        raise ValueError(f"`class_weights` must give every label a weight, but gives none to {_names(missing)}.")
