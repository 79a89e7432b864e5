"""The kit compares the gradients of pretrained encoders, and puts them through frozen all the same."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.plugins import OfferedComponent
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.pretrained.params import PretrainedParams
from vietmer_core.testing import candidate_of
from vietmer_core.testing.freezing import freed, frozen

PLANS: list[dict[str, Any]] = [
    {},
    {"freeze": False},
    {"train_layers": 2, "unfreeze": {}, "gradient_checkpointing": True},
    {"lora": {}},
]


class TwoEncoders(BaseModel):
    """Parameters of an encoder that holds a pretrained one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["two"] = "two"
    part: PretrainedParams


@pytest.mark.parametrize("plan", PLANS)
def test_what_trains_nothing_is_freed_and_what_trains_is_left(plan: dict[str, Any]) -> None:
    params = PretrainedParams(checkpoint="./x", **plan)
    expected = params.model_copy(update={"freeze": False}) if not plan else params
    assert freed(params) == expected
    assert freed(TwoEncoders(part=params)) == TwoEncoders(part=expected)


@pytest.mark.parametrize("plan", PLANS)
def test_all_is_frozen(plan: dict[str, Any]) -> None:
    params = PretrainedParams(checkpoint="./x", **plan)
    assert frozen(TwoEncoders(part=params)) == TwoEncoders(part=PretrainedParams(checkpoint="./x"))


def pretrained_encoders() -> list[OfferedComponent]:
    offered = installed_catalogue().offered
    return [offer for offer in offered if offer.component.role in (Role.TEXT, Role.AUDIO)]


@pytest.mark.parametrize("offer", pretrained_encoders(), ids=lambda offer: str(offer.component.kind))
def test_the_kit_trains_the_pretrained_weights_of_an_encoder(offer: OfferedComponent) -> None:
    candidate = candidate_of(offer.component)
    for name, backbone in backbones(offer.component.build(candidate.params)):
        assert backbone.is_tuned, f"`{name}` of `{candidate.name}` is frozen, so that the kit compares no gradient"
    still = [backbone.is_tuned for _, backbone in backbones(offer.component.build(frozen(candidate.params)))]
    assert not still or not all(still), f"all of `{candidate.name}` is trained, so that nothing frozen is looked at"
