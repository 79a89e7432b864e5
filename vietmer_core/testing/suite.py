"""The kit as pytest tests: one line in the test file of a plugin."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import pytest

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.components import Component, Role
from vietmer_core.errors import PluginError
from vietmer_core.pretrained.params import PretrainedParams
from vietmer_core.testing.assembled import Assembled
from vietmer_core.testing.assembled_checks import MODEL_CHECKS, poison
from vietmer_core.testing.candidates import candidate_of
from vietmer_core.testing.checks import CHECKS, check_names


def run_check(component: Component, name: str, *, params: Mapping[str, Any] | None = None) -> None:
    """Run one check.

    Raises:
        ConformanceError: if the component breaks the rule.
        PluginError: if no check of its role has the name.
    """
    _require_known(component, {name: ""})
    try:
        CHECKS[name].run(candidate_of(component, params))
    except Exception as error:
        error.add_note(f"check `{name}`, component `{component.role}: {component.kind}`. Rule: {CHECKS[name].rule}")
        raise


def failing_checks(
    component: Component, *, names: Iterable[str] | None = None, params: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """The checks that a component fails, by name, with the message: those named, or all of its role."""
    failures: dict[str, str] = {}
    for name in check_names(component.role) if names is None else names:
        try:
            run_check(component, name, params=params)
        except Exception as error:  # noqa: BLE001  # a component that crashes fails the check too
            failures[name] = f"{type(error).__name__}: {error}"
    return failures


def conformance_tests(
    role: Role | str,
    kind: str,
    *,
    params: Mapping[str, Any] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    catalogue: Catalogue | None = None,
) -> Callable[[str], None]:
    """A pytest test, parametrised over every check of the role.

    ::

        from vietmer_core.testing import conformance_tests

        test_conformance = conformance_tests("fusion", "mine")

    Args:
        role: The role of the component.
        kind: Its kind.
        params: Parameters to test it with; `Component.tiny` by default.
        expected_failures: Checks that it is known to fail, with the reason, beside `Component.excuses`. Such a check
            is a strict xfail: the test run fails where the check passes after all.
        catalogue: Where to find the component; the installed plugins by default.

    Raises:
        PluginError: if the component is not installed, or an expected failure names no check of the role.
    """
    found = (catalogue or installed_catalogue()).component(Role(role), kind)
    excuses = {**found.excuses, **(expected_failures or {})}
    _require_known(found, excuses)

    @pytest.mark.parametrize("check_name", [_parameter(name, excuses, (name,)) for name in check_names(found.role)])
    def test(check_name: str) -> None:
        run_check(found, check_name, params=params)

    test.__doc__ = f"Every conformance check of `{found.role}: {found.kind}`."
    return cast("Callable[[str], None]", test)


def all_registered(*, catalogue: Catalogue | None = None) -> Callable[[Component, str], None]:
    """A pytest test, parametrised over every check of every registered component.

    Raises:
        PluginError: if the excuses of a component name no check of its role.
    """
    parameters = []
    for offer in (catalogue or installed_catalogue()).offered:
        found = offer.component
        _require_known(found, found.excuses)
        for name in check_names(found.role):
            mark = _parameter(f"{found.role}-{found.kind}-{name}", found.excuses, (found, name), check=name)
            parameters.append(mark)

    @pytest.mark.parametrize(("component", "check_name"), parameters)
    def test(component: Component, check_name: str) -> None:
        run_check(component, check_name)

    test.__doc__ = "Every conformance check of every registered component."
    return cast("Callable[[Component, str], None]", test)


def assembled_tests(*, catalogue: Catalogue | None = None) -> Callable[[Assembled, str], None]:
    """A pytest test over whole models: every registered fusion with every pooler, on one encoder of each modality.

    Poison is tried on every pair; the other checks on every fusion and on every pooler with the first of the other.

    The encoders are the first registered, those trained from scratch before pretrained ones, which take longer; every
    encoder is run inside a whole model by its own checks `assembled_…`.
    """
    registered = [candidate_of(offer.component) for offer in (catalogue or installed_catalogue()).offered]
    registered.sort(key=lambda part: issubclass(part.component.params, PretrainedParams))
    by_role = {role: [part for part in registered if part.component.role == role] for role in Role}
    encoders = {role: by_role[role][0] for role in (Role.TEXT, Role.AUDIO) if by_role[role]}
    parameters = []
    for fusion in by_role[Role.FUSION]:
        for pooler in by_role[Role.POOLER]:
            read = {role: part for role, part in encoders.items() if role.value in fusion.component.modalities}
            model = Assembled(parts={**read, Role.FUSION: fusion, Role.POOLER: pooler})
            label = f"{fusion.component.kind}-{pooler.component.kind}"
            is_first = fusion is by_role[Role.FUSION][0] or pooler is by_role[Role.POOLER][0]
            names = [name for name, check in MODEL_CHECKS.items() if is_first or check is poison]
            parameters += [pytest.param(model, name, id=f"{label}-{name}") for name in names]

    @pytest.mark.parametrize(("model", "check_name"), parameters)
    def test(model: Assembled, check_name: str) -> None:
        MODEL_CHECKS[check_name](model)

    test.__doc__ = "Every check of whole models, over all fusions and poolers."
    return cast("Callable[[Assembled, str], None]", test)


def _parameter(label: str, excuses: Mapping[str, str], values: tuple[Any, ...], *, check: str = "") -> Any:
    reason = excuses.get(check or label)
    marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
    return pytest.param(*values, id=label, marks=marks)


def _require_known(component: Component, names: Mapping[str, str]) -> None:
    known = check_names(component.role)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise PluginError(
            f"`{component.role}: {component.kind}` excuses or names {', '.join(unknown)}, "
            f"which is no check of its role; the checks are {', '.join(known)}."
        )
