"""From the errors of a matrix's validation to problems that its author can mend, each at its line. Torch-free."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vietmer_core.ablation.matrix_spec import AxisSpec, MatrixSpec, ResourcesSpec
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Role
from vietmer_core.errors import PluginError, Problem
from vietmer_core.spec_document import SpecDocument, field_name
from vietmer_core.spec_fields import Location
from vietmer_core.spec_wording import refusal


def problems_of_matrix(error: ValidationError, document: SpecDocument, catalogue: Catalogue) -> list[Problem]:
    """Every error as one problem, in the order of the file."""
    found = [(_location(detail, document.values), detail) for detail in error.errors(include_url=False)]
    found.sort(key=lambda pair: document.rank(document.place(pair[0])))
    problems = []
    for location, detail in found:
        message, remedy = _message(detail, location, document.values, catalogue)
        where = ": ".join(part for part in (str(document.place(location)), field_name(location)) if part)
        problems.append(Problem(where=where, message=message, remedy=remedy))
    return list(dict.fromkeys(problems))


def _location(detail: ErrorDetails, values: Mapping[str, Any]) -> Location:
    """Where an error is in the document, without the numbers of lists that stand there as a single entry."""
    location: list[str | int] = []
    value: Any = values
    for step in detail["loc"]:
        if _has(value, step):
            value = value[step]
        elif isinstance(step, int) or step == "[key]" or value is None:
            continue
        else:
            value = None
        location.append(step)
    return tuple(location)


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _message(
    detail: ErrorDetails, location: Location, values: Mapping[str, Any], catalogue: Catalogue
) -> tuple[str, str]:
    if detail["type"] == "missing":
        return "is required.", ""
    if detail["type"] == "extra_forbidden":
        names = _fields(location[:-1], values, catalogue)
        near = get_close_matches(str(location[-1]), names, n=1)
        meant = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names)}."
        return f"there is no such field; {meant}", ""
    return refusal([detail])


def _fields(around: Location, values: Mapping[str, Any], catalogue: Catalogue) -> Sequence[str]:
    """The fields that may stand at a place."""
    model: type[BaseModel] = MatrixSpec
    if around[:1] in (("axes",), ("replicates",)):
        model = AxisSpec
    elif around[:1] == ("resources",):
        model = ResourcesSpec
    elif around[:1] == ("executor",):
        try:
            model = catalogue.component(Role.EXECUTOR, str(values["executor"].get("kind", "local"))).params
        except PluginError:
            return ()
    return list(model.model_fields)
