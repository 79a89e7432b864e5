from typing import Literal

import attrs
import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from vietmer_core.components import BOTH_MODALITIES, Component, Modality, Role
from vietmer_core.errors import PluginError


class GoodParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["good"] = "good"
    width: int = 64


class KindlessParams(BaseModel):
    width: int = 64


class FreeKindParams(BaseModel):
    kind: str = "any"


class TwoKindsParams(BaseModel):
    kind: Literal["one", "two"] = "one"


class NumericKindParams(BaseModel):
    kind: Literal[7] = 7


def build(params: BaseModel) -> object:
    return params


def component(role: Role = Role.HEAD, params: type[BaseModel] = GoodParams, **changes: object) -> Component:
    made = Component(role=role, params=params, build=build, summary="A part.", licence="Apache-2.0")
    return attrs.evolve(made, **changes)  # type: ignore[arg-type]  # the tests give wrong arguments on purpose


def test_the_kind_is_read_from_the_params() -> None:
    assert component().kind == "good"


def test_a_fusion_reads_both_modalities_unless_it_says_otherwise() -> None:
    assert component(Role.FUSION).modalities == BOTH_MODALITIES
    assert component(Role.FUSION, modalities=frozenset({Modality.TEXT})).modalities == {Modality.TEXT}


@pytest.mark.parametrize("params", [KindlessParams, FreeKindParams, TwoKindsParams, NumericKindParams])
def test_params_without_exactly_one_literal_kind_are_refused(params: type[BaseModel]) -> None:
    with pytest.raises(PluginError, match=rf'{params.__qualname__}` must declare `kind: Literal\["…"\]`'):
        component(params=params)


@pytest.mark.parametrize("role", [Role.TEXT, Role.AUDIO])
def test_an_encoder_without_a_frontend_is_refused(role: Role) -> None:
    with pytest.raises(PluginError, match=f"`{role}: good` must give `build_frontend`"):
        Component(role=role, params=GoodParams, build=build, summary="A part.", licence="Apache-2.0")


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.TEXT, Role.AUDIO)])
def test_any_other_part_with_a_frontend_is_refused(role: Role) -> None:
    with pytest.raises(PluginError, match=f"`{role}: good` must not give `build_frontend`"):
        component(role, build_frontend=build)


def test_tiny_params_are_validated() -> None:
    assert component(tiny={"width": 2}).tiny_params() == GoodParams(width=2)
    with pytest.raises(ValidationError, match="depth"):
        component(tiny={"depth": 2}).tiny_params()


def test_a_component_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        component().summary = "Another."  # type: ignore[misc]  # refused at run time too
