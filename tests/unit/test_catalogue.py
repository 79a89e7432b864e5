from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model

from vietmer_core import catalogue as catalogue_module
from vietmer_core.catalogue import Catalogue, distribution_name, installed_catalogue
from vietmer_core.components import Component, Role
from vietmer_core.errors import EXIT_PLUGIN, PluginError, UnknownKindError
from vietmer_core.plugins import BrokenPlugin, OfferedComponent, Origin


def build(params: BaseModel, *, text_dim: int, audio_dim: int) -> object:
    return params, text_dim, audio_dim


def offer(kind: str, distribution: str = "some-distribution", role: Role = Role.FUSION) -> OfferedComponent:
    literal: Any = Literal[kind]
    params = create_model("Params", kind=(literal, kind))
    part = Component(role=role, params=params, build=build, summary="A part.", licence="Apache-2.0")
    return OfferedComponent(component=part, origin=origin(distribution))


def origin(distribution: str) -> Origin:
    return Origin(name=distribution.removeprefix("vietmer-"), distribution=distribution, version="1.2")


def broken(distribution: str) -> BrokenPlugin:
    return BrokenPlugin(origin=origin(distribution), reason="ImportError: no module named quux")


@pytest.fixture(autouse=True)
def _known_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of the tests' own, so that a new plugin of the house changes no sentence here."""
    known = {("fusion", "xattn"): "vietmer-fusion-xattn", ("fusion", "stranger"): "a-strangers-name"}
    monkeypatch.setattr(catalogue_module, "KNOWN_DISTRIBUTIONS", known)


def miss(catalogue: Catalogue, kind: str) -> str:
    with pytest.raises(UnknownKindError) as caught:
        catalogue.find(Role.FUSION, kind)
    assert caught.value.exit_code == EXIT_PLUGIN
    return str(caught.value)


def test_a_kind_is_found_with_its_origin() -> None:
    catalogue = Catalogue((offer("sum"), offer("max", role=Role.POOLER)))
    assert catalogue.component(Role.FUSION, "sum").kind == "sum"
    assert str(catalogue.origin(Role.FUSION, "sum")) == "some-distribution 1.2"
    assert catalogue.kinds(Role.FUSION) == ["sum"]


def test_a_kind_of_another_role_is_not_found() -> None:
    assert "installed: none." in miss(Catalogue((offer("max", role=Role.POOLER),)), "max")


def test_a_miss_names_what_is_installed() -> None:
    said = miss(Catalogue((offer("sum"), offer("late"))), "qqq")
    assert said == "no installed distribution offers `fusion: qqq`; installed: late, sum."


def test_a_miss_of_a_known_kind_gives_the_command_that_supplies_it() -> None:
    said = miss(Catalogue((offer("sum"),)), "xattn")
    assert said.endswith("installed: sum. Run: pip install vietmer-fusion-xattn")


def test_the_command_comes_from_the_table_never_from_a_pattern() -> None:
    assert miss(Catalogue(()), "stranger").endswith("Run: pip install a-strangers-name")
    assert "pip install" not in miss(Catalogue(()), "unheard_of")
    assert distribution_name(Role.FUSION, "unheard_of") == ""


def test_a_near_miss_asks_did_you_mean() -> None:
    assert miss(Catalogue((offer("gated_sum"),)), "gated_sun").endswith("Did you mean `gated_sum`?")


def test_a_near_miss_of_a_known_kind_gives_the_command_too() -> None:
    assert miss(Catalogue(()), "xatn").endswith("Did you mean `xattn`? Run: pip install vietmer-fusion-xattn")


def test_a_miss_names_the_broken_plugin_that_would_supply_the_kind() -> None:
    catalogue = Catalogue((), (broken("vietmer-fusion-xattn"), broken("vietmer-text-other")))
    said = miss(catalogue, "xattn")
    assert said == (
        "no installed distribution offers `fusion: xattn`; installed: none. "
        "Plugin `fusion-xattn` of vietmer-fusion-xattn 1.2 is broken: ImportError: no module named quux. "
        "Run: pip install vietmer-fusion-xattn"
    )


def test_the_command_of_a_near_miss_stands_after_every_sentence() -> None:
    said = miss(Catalogue((), (broken("vietmer-text-other"),)), "xatn")
    assert said.endswith("named quux. Did you mean `xattn`? Run: pip install vietmer-fusion-xattn")


def test_a_miss_of_an_unknown_kind_names_every_broken_plugin() -> None:
    assert "Plugin `text-other` of vietmer-text-other 1.2 is broken" in miss(
        Catalogue((), (broken("vietmer-text-other"),)), "unheard_of"
    )


def test_a_kind_offered_twice_names_both_distributions() -> None:
    catalogue = Catalogue((offer("sum", "first-one"), offer("sum", "second-one"), offer("late")))
    with pytest.raises(
        PluginError, match=r"`fusion: sum` is offered by first-one 1\.2 and second-one 1\.2\. Uninstall"
    ):
        catalogue.find(Role.FUSION, "sum")
    assert catalogue.component(Role.FUSION, "late").kind == "late"  # others stay usable


def test_the_installed_catalogue_holds_the_cores_own_components() -> None:
    catalogue = installed_catalogue()
    assert {"attn", "mean"} <= set(catalogue.kinds(Role.POOLER))
    assert catalogue.origin(Role.POOLER, "mean").distribution == "vietmer-core"
