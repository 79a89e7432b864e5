"""Errors that come from a stranger's parameters, and catalogues in which something is missing."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Component, Role
from vietmer_core.errors import SpecError
from vietmer_core.plugins import BrokenPlugin, OfferedComponent, Origin
from vietmer_core.spec_loading import load_spec


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    mode: Literal["inner"] = "inner"
    size: int = 1


class Other(BaseModel):
    model_config = ConfigDict(extra="forbid")
    mode: Literal["other"] = "other"


class StrangeParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["strange"] = "strange"
    dim: int = 8
    num_heads: int = Field(default=3, validate_default=True)
    even: int = 2
    odd: int = 1
    curt: int = 1
    code: Annotated[str, Field(pattern="^[a-z]+$", min_length=2, max_length=4)] = "ab"
    step: Annotated[int, Field(multiple_of=4, le=16)] = 4
    pair: tuple[int, int] = (1, 2)
    inner: Annotated[Inner | Other, Field(discriminator="mode")] = Inner()

    @field_validator("num_heads")
    @classmethod
    def _heads_divide(cls, num_heads: int, info: ValidationInfo) -> int:
        if info.data.get("dim", 0) % num_heads and info.data.get("dim") != 8:
            raise ValueError(f"must divide `dim` ({info.data['dim']}), but is {num_heads} instead.")
        return num_heads

    @field_validator("even")
    @classmethod
    def _is_even(cls, even: int) -> int:
        if even % 2:
            raise ValueError("must be even")
        return even

    @field_validator("odd")
    @classmethod
    def _is_odd(cls, odd: int) -> int:
        if not odd % 2:
            raise AssertionError(f"{odd} is not odd")
        return odd

    @field_validator("curt")
    @classmethod
    def _is_one(cls, curt: int) -> int:
        if curt != 1:
            raise ValueError
        return curt

    @model_validator(mode="after")
    def _fits(self) -> "StrangeParams":
        if self.even == self.step:
            raise ValueError("`even` and `step` must differ")
        return self


def build(params: BaseModel) -> BaseModel:
    return params


def catalogue_with(offers: tuple[OfferedComponent, ...], *more: OfferedComponent) -> Catalogue:
    return Catalogue((*offers, *more))


def strange(distribution: str = "strangers") -> OfferedComponent:
    component = Component(role=Role.POOLER, params=StrangeParams, build=build, summary="Strange.", licence="MIT")
    return OfferedComponent(component=component, origin=Origin(name="s", distribution=distribution, version="2"))


def said(catalogue: Catalogue, text: str, *overrides: str) -> list[str]:
    Path("spec.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec([Path("spec.yaml")], overrides, catalogue=catalogue)
    return [str(problem).split(": ", 1)[1] for problem in caught.value.problems]


Offers = tuple[OfferedComponent, ...]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ("dim: 10", "pooler.num_heads: must divide `dim` (10), but is 3 instead."),
        ("even: 3", "pooler.even: must be even, but is 3 instead."),
        ("odd: 2", "pooler.odd: 2 is not odd."),
        ("curt: 2", "pooler.curt: is refused, being 2."),
        ("code: AB", 'pooler.code: must be text that matches `^[a-z]+$`, but is "AB" instead.'),
        ("code: a", 'pooler.code: must be text of at least 2 characters, but is "a" instead.'),
        ("code: abcde", 'pooler.code: must be text of at most 4 characters, but is "abcde" instead.'),
        ("step: 5", "pooler.step: must be a multiple of 4, but is 5 instead."),
        ("step: 20", "pooler.step: must be at most 16, but is 20 instead."),
        ("pair: [1, 2, 3]", "pooler.pair: must have at most 2 entries, but has 3 entries instead."),
        ("pair: [1]", "pooler.pair.1: is required."),
        ("pair: [1, x]", 'pooler.pair.1: must be a whole number, but is "x" instead.'),
        ("even: 4", "pooler: `even` and `step` must differ."),
        ("inner: {mode: inner, siz: 2}", "pooler.inner.siz: there is no such field; did you mean `size`?"),
        ("inner: {mode: inner, size: x}", 'pooler.inner.size: must be a whole number, but is "x" instead.'),
    ],
)
def test_a_strangers_rules_are_located_and_made_sentences(
    offers: Offers, valid: str, params: str, sentence: str
) -> None:
    text = valid.replace("pooler: mean", f"pooler: {{kind: strange, {params}}}")
    assert said(catalogue_with(offers, strange()), text) == [sentence]


def test_a_required_parameter_is_missed_at_its_component(offers: Offers, valid: str) -> None:
    class Params(BaseModel):
        kind: Literal["needy"] = "needy"
        size: int

    needy = Component(role=Role.POOLER, params=Params, build=build, summary="Needy.", licence="MIT")
    offer = OfferedComponent(component=needy, origin=Origin(name="n", distribution="n", version="1"))
    text = valid.replace("pooler: mean", "pooler: needy")
    assert said(catalogue_with(offers, offer), text) == ["pooler.size: is required."]


def test_a_kind_offered_twice_is_an_error_that_names_both(offers: Offers, valid: str) -> None:
    text = valid.replace("pooler: mean", "pooler: {kind: strange, dims: 3}")
    found = said(catalogue_with(offers, strange("first-one"), strange("second-one")), text)
    assert found == [
        "pooler.kind: `pooler: strange` is offered by first-one 2 and second-one 2. Uninstall one of them."
    ]


def test_a_broken_plugin_is_named_where_its_kind_is_missed(offers: Offers, valid: str) -> None:
    origin = Origin(name="fusion-weave", distribution="vietmer-fusion-weave", version="1.2")
    catalogue = Catalogue(offers, (BrokenPlugin(origin=origin, reason="ImportError: no module named quux"),))
    (found,) = said(catalogue, valid, "fusion=weave")
    assert found.endswith(
        "installed: join, solo. "
        "Plugin `fusion-weave` of vietmer-fusion-weave 1.2 is broken: ImportError: no module named quux. "
        "Run: pip install vietmer-fusion-weave"
    )


def only(offers: Offers, *roles: Role) -> Catalogue:
    return Catalogue(tuple(offer for offer in offers if offer.component.role in roles))


def test_with_nothing_installed_every_command_that_supplies_a_kind_is_named(offers: Offers, valid: str) -> None:
    found = said(only(offers, Role.POOLER, Role.HEAD, Role.LOSS, Role.SAMPLER), "labels: [a, b]\npooler: mean\n")
    assert (
        "fusion: is required; none is installed. Run: pip install vietmer-fusion-join or pip install "
        "vietmer-fusion-weave" in found
    )
    found = said(only(offers, Role.FUSION, Role.POOLER, Role.HEAD, Role.LOSS, Role.SAMPLER), valid, "text=null")
    assert (
        "text: is required, since `fusion: join` reads text; none is installed. Run: pip install "
        "vietmer-text-words or pip install a-strangers-name" in found
    )
    assert any(sentence.startswith("audio.kind: no installed distribution offers") for sentence in found)


def test_a_missing_encoder_is_reported_along_with_other_errors(offers: Offers, valid: str) -> None:
    found = said(Catalogue(offers), valid, "audio=null", "seed=-1")
    assert sorted(found) == [
        "audio: is required, since `fusion: join` reads audio; installed: waves.",
        "seed: must be at least 0, but is -1 instead.",
    ]


def test_an_encoder_that_is_itself_wrong_is_not_called_missing(offers: Offers, valid: str) -> None:
    found = said(Catalogue(offers), valid, "audio=5")
    assert found == ["audio: must be a kind, or a mapping with a `kind`, but is 5 instead."]
