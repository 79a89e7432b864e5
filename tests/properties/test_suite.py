"""The one line of a plugin's test file: what it collects, excuses and refuses."""

from typing import Any

import attrs
import pytest

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Component, Role
from vietmer_core.errors import PluginError, UnknownKindError
from vietmer_core.plugins import OfferedComponent, Origin
from vietmer_core.testing import CHECKS, all_registered, check_names, conformance_tests, run_check
from vietmer_core.testing.leaky import LEAKS
from vietmer_core.testing.profiles import QUICK_EXAMPLES, check_settings


def _leaky(name: str, **changes: Any) -> Component:
    return attrs.evolve(next(leak.component for leak in LEAKS if leak.name == name), **changes)


def _catalogue(*components: Component) -> Catalogue:
    origin = Origin(name="leaky", distribution="leaky", version="0")
    return Catalogue(tuple(OfferedComponent(component=component, origin=origin) for component in components))


def _parameters(test: Any) -> dict[str, Any]:
    (mark,) = (mark for mark in test.pytestmark if mark.name == "parametrize")
    return {parameter.id: parameter for parameter in mark.args[1]}


def test_every_check_of_the_role_is_collected() -> None:
    assert list(_parameters(conformance_tests("pooler", "mean"))) == check_names(Role.POOLER)


def test_the_whole_catalogue_is_collected() -> None:
    names = _parameters(all_registered(catalogue=_catalogue(_leaky("plain mean"), _leaky("batch norm in the head"))))
    expected = [f"pooler-leaky-{name}" for name in check_names(Role.POOLER)]
    assert list(names) == expected + [f"head-leaky-{name}" for name in check_names(Role.HEAD)]


def test_an_expected_failure_and_an_excuse_are_strict_xfails_with_their_reasons() -> None:
    catalogue = _catalogue(_leaky("plain mean", excuses={"padding_width": "published so"}))
    expected = {"alone_equals_batch": "known"}
    test = conformance_tests("pooler", "leaky", catalogue=catalogue, expected_failures=expected)
    marks = {name: parameter.marks for name, parameter in _parameters(test).items() if parameter.marks}
    assert {name: mark.kwargs for name, (mark,) in marks.items()} == {
        "padding_width": {"reason": "published so", "strict": True},
        "alone_equals_batch": {"reason": "known", "strict": True},
    }


def test_an_unknown_check_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(PluginError, match=r"`pooler: mean` .*alone_equals_bach.*the checks are .*alone_equals_batch"):
        conformance_tests("pooler", "mean", expected_failures={"alone_equals_bach": "misspelt"})


def test_a_check_of_another_role_is_unknown() -> None:
    with pytest.raises(PluginError, match="sampler_pure"):
        run_check(_leaky("plain mean"), "sampler_pure")


def test_an_unknown_excuse_of_a_registered_component_is_an_error() -> None:
    with pytest.raises(PluginError, match="no_such_check"):
        all_registered(catalogue=_catalogue(_leaky("plain mean", excuses={"no_such_check": "?"})))


def test_a_component_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(UnknownKindError, match="fusion: nobody"):
        conformance_tests("fusion", "nobody")


def test_other_parameters_are_used() -> None:
    test = conformance_tests("pooler", "attn", params={"num_heads": 3})  # 3 heads do not divide the width of 8
    with pytest.raises(ValueError, match="num_heads"):
        test("alone_equals_batch")


def test_a_crash_names_the_check_the_component_and_the_rule() -> None:
    def broken(_params: object, *, dim: int) -> None:
        raise RuntimeError(f"no pooler of {dim}")

    with pytest.raises(RuntimeError) as caught:
        run_check(_leaky("plain mean", build=broken), "padding_width")
    assert caught.value.__notes__ == [
        "check `padding_width`, component `pooler: leaky`. Rule: Padding further changes no real frame and no length."
    ]


def test_every_check_states_its_rule() -> None:
    assert all(check.rule.endswith(".") and check.name == name for name, check in CHECKS.items())


def test_outside_a_search_examples_are_few_and_the_same() -> None:
    settings = check_settings()
    if settings.max_examples > QUICK_EXAMPLES:
        pytest.skip("a search is on: HYPOTHESIS_PROFILE=properties")
    assert settings.derandomize
    assert settings.deadline is None
