"""From spec files to an `ExperimentSpec`, or to every error in them at once, each located. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.errors import PluginError, Problem, SpecError
from vietmer_core.spec import CATALOGUE_KEY, COMPONENT_FIELDS, ExperimentSpec, missing_encoders
from vietmer_core.spec_files import Location, SpecDocument, read_documents


def load_spec(
    paths: Sequence[Path], overrides: Sequence[str] = (), *, catalogue: Catalogue | None = None
) -> ExperimentSpec:
    """Read, compose and validate an experiment.

    Args:
        paths: YAML or TOML files, the later over the earlier.
        overrides: `a.b=value` each, over the files.
        catalogue: Components to look kinds up in; the installed ones by default.

    Raises:
        SpecError: with every error at once, each with its file, line and field.
    """
    return validate_document(read_documents(paths, overrides), catalogue=catalogue or installed_catalogue())


def validate_document(document: SpecDocument, *, catalogue: Catalogue) -> ExperimentSpec:
    """Validate a composed document.

    Raises:
        SpecError: with every error at once, each with its file, line and field.
    """
    try:
        return ExperimentSpec.model_validate(document.values, context={CATALOGUE_KEY: catalogue})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        problems = [_problem(detail, document, catalogue) for detail in details]
        if not any(detail["type"] == "missing_encoder" for detail in details):
            problems += [
                Problem(where=_where(document, (field,)), message=message)
                for field, message in missing_encoders(document.values, catalogue)
                if field not in document.values
            ]
    count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    raise SpecError(f"the spec has {count}:", sorted(problems, key=lambda problem: _order(problem.where)))


def _order(where: str) -> tuple[str, int, str]:
    file, _, rest = where.partition(":")
    line, _, field = rest.partition(":")
    return (file, int(line), field) if line.isdigit() else (file, 0, where)


def _where(document: SpecDocument, location: Location) -> str:
    field = ".".join(map(str, location))
    place = document.place(location)
    return f"{place}: {field}" if place and field else place or field


def _steps(location: Location, document: SpecDocument) -> Location:
    """The location without the marks that pydantic adds for the members of a union."""
    kept: list[str | int] = []
    value: Any = document.values
    for step in location:
        inside = isinstance(value, Mapping) and step in value
        inside = inside or (isinstance(value, list) and isinstance(step, int) and step < len(value))
        if inside:
            value = value[step]
            kept.append(step)
        elif step == 0 and kept and not isinstance(value, list):
            continue  # a single manifest stands for a list of one
        elif step == location[-1] and not _is_union_mark(step):
            kept.append(step)
    return tuple(kept)


def _is_union_mark(step: str | int) -> bool:
    return isinstance(step, str) and any(mark in step for mark in ("[", "constrained-", "literal"))


def _problem(detail: ErrorDetails, document: SpecDocument, catalogue: Catalogue) -> Problem:
    location = _steps(detail["loc"], document)
    where = _where(document, location)
    if detail["type"] == "extra_forbidden":
        return Problem(where=where, message=_unknown_field(location, document, catalogue))
    if detail["type"] == "missing":
        return Problem(where=where, message=_missing_field(location, catalogue))
    context = detail.get("ctx", {})
    if "sentence" in context:
        return Problem(where=where, message=str(context["sentence"]))
    message = detail["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:] if message.startswith("Input") else message
    message = message.replace("input should", "must", 1).rstrip(".")
    return Problem(where=where, message=f"{message}, but is {_shown(detail['input'])} instead.")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _missing_field(location: Location, catalogue: Catalogue) -> str:
    name = str(location[-1])
    if name in COMPONENT_FIELDS and len(location) == 1:
        return f"is required; installed kinds: {', '.join(catalogue.kinds(COMPONENT_FIELDS[name])) or 'none'}."
    return "is required."


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _fields_at(location: Location, document: SpecDocument, catalogue: Catalogue) -> list[str]:
    """The fields that may stand at a location."""
    models: list[type[BaseModel]] = [ExperimentSpec]
    value: Any = document.values
    for depth, step in enumerate(location):
        inside = isinstance(value, Mapping) or (isinstance(value, list) and isinstance(step, int))
        value = value[step] if inside else None
        if isinstance(step, int):
            continue
        if depth == 0 and step in COMPONENT_FIELDS and isinstance(value, Mapping):
            try:
                models = [catalogue.component(COMPONENT_FIELDS[step], str(value.get("kind"))).params]
            except PluginError:
                return []
            continue
        found = [model.model_fields[step].annotation for model in models if step in model.model_fields]
        models = [model for annotation in found for model in _models(annotation)]
    return sorted({name for model in models for name in model.model_fields})


def _unknown_field(location: Location, document: SpecDocument, catalogue: Catalogue) -> str:
    names = _fields_at(location[:-1], document, catalogue)
    near = get_close_matches(str(location[-1]), names, n=1)
    if near:
        return f"there is no such field; did you mean `{near[0]}`?"
    return f"there is no such field; there are: {', '.join(names)}." if names else "there is no such field."
