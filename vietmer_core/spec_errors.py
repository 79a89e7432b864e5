"""From the errors of validation to problems that a spec's author can mend, each at its place. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, get_args

import attrs
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vietmer_core.catalogue import Catalogue
from vietmer_core.errors import PluginError, Problem
from vietmer_core.spec import SPLITS, ExperimentSpec, missing_encoders
from vietmer_core.spec_document import Place, SpecDocument, field_name, is_component, role_at
from vietmer_core.spec_fields import DEFAULT_KINDS, Fault, Location, kinds_on_offer
from vietmer_core.spec_label_maps import unknown_targets
from vietmer_core.spec_wording import QUOTE, choices, expected, refusal, shown

_NAME_OF_FIELD: Final = "[key]"


@attrs.frozen(kw_only=True)
class _Spot:
    """Where an error is: its location in the document, and the fields that may stand beside it."""

    location: Location
    fields: Sequence[str]


def problems_of(error: ValidationError, document: SpecDocument, catalogue: Catalogue) -> list[Problem]:
    """Every error as one problem, in the order of the files; the alternatives of a union make one."""
    groups: dict[Location, list[ErrorDetails]] = {}
    spots: dict[Location, _Spot] = {}
    for detail in error.errors(include_url=False, include_context=True):
        spot = _spot(detail["loc"], document, catalogue)
        spots[spot.location] = spot
        groups.setdefault(spot.location, []).append(detail)
    found = [
        (location, message, remedy)
        for location, details in groups.items()
        for message, remedy in _messages(details, spots[location], catalogue)
    ]
    found += [
        ((field,), message, "")
        for field, message in missing_encoders(document.values, catalogue)
        if (field,) not in groups
    ]
    found += [(location, message, "") for location, message in _unmapped(document.values) if location not in groups]
    found.sort(key=lambda problem: document.rank(document.place(problem[0])))
    return [
        Problem(
            where=_where(document, location),
            message=message,
            remedy=_quoted_override(document.place(location)) if remedy == QUOTE else remedy,
        )
        for location, message, remedy in found
    ]


def _unmapped(values: Mapping[str, Any]) -> Iterator[Fault]:
    """The entries of a `label_map` that name no label, in a document that may hold other errors."""
    labels, data = values.get("labels"), values.get("data")
    if not isinstance(labels, list) or not isinstance(data, Mapping):
        return
    for split in SPLITS:
        entries = data.get(split)
        for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            label_map = entry.get("label_map") if isinstance(entry, Mapping) else None
            location = ("data", split, index) if isinstance(entries, list) else ("data", split)
            for steps, message in unknown_targets(label_map, labels):
                yield (*location, "label_map", *steps), message


def _quoted_override(place: Place) -> str:
    """How to put a value in quotes; the shell takes away those around the value of a `--set`."""
    name, equals, value = place.source.removeprefix("--set ").partition("=")
    if not equals or not place.source.startswith("--set "):
        return QUOTE
    example = "" if value.lstrip()[:1] in ("[", "{") else f": `--set '{name}=\"{value}\"'`"
    return f"Put it in quotes that reach the program{example}."


def _where(document: SpecDocument, location: Location) -> str:
    return ": ".join(part for part in (str(document.place(location)), field_name(location)) if part)


def _messages(details: Sequence[ErrorDetails], spot: _Spot, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    alternatives: list[ErrorDetails] = []
    for detail in details:
        names = choices(detail)
        is_name = detail["loc"][-1:] == (_NAME_OF_FIELD,)
        if detail["type"] == "extra_forbidden":
            yield _no_such_field(str(spot.location[-1]), spot.fields), ""
        elif detail["type"] == "missing":
            yield _missing(spot.location, catalogue), ""
        elif is_name and names:
            yield _no_such_field(str(spot.location[-1]), names), ""
        elif detail["type"] == "invalid_key" or (is_name and detail["type"] == "string_type"):
            yield f"its name must be text, but is {shown(detail['input'])} instead.", QUOTE
        elif not _is_echo(detail):
            alternatives.append(detail)
    ruled = [detail for detail in alternatives if expected(detail)]
    if ruled:
        yield refusal(ruled)
    for detail in alternatives:
        if detail not in ruled:
            yield refusal([detail])


def _is_echo(detail: ErrorDetails) -> bool:
    """Whether a list is called short only because its faulty entries, reported themselves, were not counted."""
    value = detail["input"]
    return detail["type"] == "too_short" and len(value) >= detail["ctx"]["min_length"]


def _missing(location: Location, catalogue: Catalogue) -> str:
    role = role_at(location)
    return f"is required; {kinds_on_offer(role, catalogue)}" if role is not None else "is required."


def _no_such_field(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1)
    if near:
        return f"there is no such field; did you mean `{near[0]}`?"
    return f"there is no such field; there are: {', '.join(sorted(names))}." if names else "there is no such field."


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _inside(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)


def _spot(steps: Location, document: SpecDocument, catalogue: Catalogue) -> _Spot:
    """Where an error is, without the steps that validation adds for the alternatives of a union.

    A step is real if the document has it, or if it is the name of a field that the document leaves out.
    """
    location: list[str | int] = []
    value: Any = document.values
    models: list[type[BaseModel]] = [ExperimentSpec]
    fields: list[str] = []
    for step in steps:
        names = [name for model in models for name in model.model_fields]
        is_kind = step == "kind" and is_component(location)
        if _inside(value, step):
            value = value[step]
        elif step in names or is_kind:
            value = None
        elif isinstance(step, int) and isinstance(value, list | tuple):
            value = None  # an entry that the list lacks
        else:
            continue  # also 0 for a single manifest, which stands for a list of one
        location.append(step)
        fields = names
        models = _models_at(location, value, models, catalogue)
    return _Spot(location=tuple(location), fields=list(dict.fromkeys(fields)))


def _models_at(
    location: Sequence[str | int], value: Any, around: Sequence[type[BaseModel]], catalogue: Catalogue
) -> list[type[BaseModel]]:
    """The models of what stands at a location, `around` being those of what it stands in."""
    role = role_at(location)
    if role is not None:
        kind = value.get("kind", DEFAULT_KINDS.get(role)) if isinstance(value, Mapping) else value
        try:
            return [catalogue.component(role, str(kind)).params]
        except PluginError:
            return []
    step = location[-1]
    if isinstance(step, int):
        return _of_its_kind(value, around)
    found = [model.model_fields[step].annotation for model in around if step in model.model_fields]
    return [model for annotation in found for model in _models(annotation)]


def _of_its_kind(value: Any, models: Sequence[type[BaseModel]]) -> list[type[BaseModel]]:
    """The model that an entry of a list names by its `kind`; all of them where it names none."""
    kind = value.get("kind") if isinstance(value, Mapping) else None
    annotations: list[Any] = [getattr(model.model_fields.get("kind"), "annotation", None) for model in models]
    named = [model for model, annotation in zip(models, annotations, strict=True) if kind in get_args(annotation)]
    return named or list(models)
