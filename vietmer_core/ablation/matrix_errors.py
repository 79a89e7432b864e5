"""From the errors of a matrix or a search to problems that its author can mend, each at its line. Torch-free."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import attrs
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vietmer_core.ablation.matrix_spec import AxisSpec, MatrixSpec, ResourcesSpec
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Role
from vietmer_core.errors import PluginError, Problem
from vietmer_core.spec_document import SpecDocument, field_name
from vietmer_core.spec_fields import Location
from vietmer_core.spec_wording import refusal


def problems_of_matrix(
    error: ValidationError,
    document: SpecDocument,
    catalogue: Catalogue,
    *,
    model: type[BaseModel] = MatrixSpec,
    axis: type[BaseModel] = AxisSpec,
) -> list[Problem]:
    """Every error as one problem, in the order of the file.

    Args:
        error: Of the validation.
        document: The file.
        catalogue: Where components come from.
        model: What the file is.
        axis: What each of its axes is.
    """
    fields = _Fields(model=model, axis=axis, values=document.values, catalogue=catalogue)
    found = [(_location(detail, document.values), detail) for detail in error.errors(include_url=False)]
    found.sort(key=lambda pair: document.rank(document.place(pair[0])))
    problems = []
    for location, detail in found:
        message, remedy = _message(detail, location, fields)
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


@attrs.frozen(kw_only=True, eq=False)
class _Fields:
    """The fields that may stand at a place of a file."""

    model: type[BaseModel]
    axis: type[BaseModel]
    values: Mapping[str, Any]
    catalogue: Catalogue

    def around(self, location: Location) -> Sequence[str]:
        """Their names."""
        part = str(location[0]) if location else ""
        if part in ("axes", "replicates"):
            return list(self.axis.model_fields)
        if part == "resources":
            return list(ResourcesSpec.model_fields)
        role = {Role.EXECUTOR.value: Role.EXECUTOR, Role.SEARCH.value: Role.SEARCH}.get(part)
        if role is None:
            return list(self.model.model_fields)
        try:
            kind = str(self.values[part].get("kind", ""))
            return list(self.catalogue.component(role, kind).params.model_fields)
        except PluginError:
            return ()


def _message(detail: ErrorDetails, location: Location, fields: _Fields) -> tuple[str, str]:
    if detail["type"] == "missing":
        return "is required.", ""
    if detail["type"] == "extra_forbidden":
        names = fields.around(location[:-1])
        near = get_close_matches(str(location[-1]), names, n=1)
        meant = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names)}."
        return f"there is no such field; {meant}", ""
    return refusal([detail])
