"""What the fields of a spec have in common: components looked up in the catalogue, numbers, names. Torch-free."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SerializeAsAny, ValidationError
from pydantic import ValidationInfo as Info
from pydantic_core import InitErrorDetails, PydanticCustomError

from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.components import Role
from vietmer_core.errors import PluginError
from vietmer_core.known import KNOWN_DISTRIBUTIONS

CATALOGUE_KEY: Final = "catalogue"
DEFAULT_KINDS: Final[Mapping[Role, str]] = MappingProxyType({Role.HEAD: "mlp", Role.LOSS: "cross_entropy"})
_FOLDER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")


def catalogue_of(info: Info) -> Catalogue:
    """The catalogue given as validation context, or the installed one."""
    context = cast("Mapping[str, Any]", info.context or {})
    return cast("Catalogue", context.get(CATALOGUE_KEY) or installed_catalogue())


Location = tuple[str | int, ...]
Fault = tuple[Location, str]
"""A location below the value being validated, and a whole sentence."""


def stated(sentence: str) -> PydanticCustomError:
    """An error whose whole sentence is given, without the place."""
    return PydanticCustomError("stated", "{sentence}", {"sentence": sentence})


def located(faults: Sequence[Fault]) -> ValidationError:
    """Several errors below the value being validated."""
    details = [InitErrorDetails(type=stated(sentence), loc=location, input=None) for location, sentence in faults]
    return ValidationError.from_exception_data("ExperimentSpec", details)


def kinds_on_offer(role: Role, catalogue: Catalogue) -> str:
    """The installed kinds of a role, for a message; where there are none, the command that supplies one."""
    installed = catalogue.kinds(role)
    if installed:
        return f"installed: {', '.join(installed)}."
    known = [f"pip install {name}" for (known_role, _), name in KNOWN_DISTRIBUTIONS.items() if known_role == role]
    return f"none is installed. Run: {' or '.join(known)}" if known else "none is installed."


def component_of(role: Role) -> Callable[[object, Info], BaseModel]:
    """The validator of a component entry: a kind, or a mapping with a `kind` and the parameters of that kind."""

    def validate(value: object, info: Info) -> BaseModel:
        catalogue = catalogue_of(info)
        if isinstance(value, BaseModel):
            value = value.model_dump()
        if isinstance(value, str):
            value = {"kind": value}
        if value is None:
            raise stated(f"is required; {kinds_on_offer(role, catalogue)}")
        if not isinstance(value, Mapping):
            raise PydanticCustomError("component", "a kind, or a mapping with a `kind`")
        kind = value.get("kind", DEFAULT_KINDS.get(role))
        if kind in (None, ""):
            faults: list[Fault] = [(("kind",), f"is required; {kinds_on_offer(role, catalogue)}")]
            raise located(faults)
        if not isinstance(kind, str):
            details = InitErrorDetails(type="string_type", loc=("kind",), input=kind)
            raise ValidationError.from_exception_data("ExperimentSpec", [details])
        try:
            component = catalogue.component(role, kind)
        except PluginError as error:
            raise located([(("kind",), str(error))]) from None
        return component.params.model_validate({**value, "kind": kind})

    return validate


def as_entries(value: object) -> object:
    """One component entry stands for a list of one, null for an empty list."""
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def distinct_kinds(entries: tuple[BaseModel, ...]) -> tuple[BaseModel, ...]:
    """Refuse a list of components that names a kind twice."""
    kinds = [str(getattr(entry, "kind", "")) for entry in entries]
    faults: list[Fault] = [
        ((index, "kind"), f"`{kind}` is named already, as entry {kinds.index(kind)}; each kind may stand once.")
        for index, kind in enumerate(kinds)
        if kind in kinds[:index]
    ]
    if faults:
        raise located(faults)
    return entries


def not_a_switch(value: object) -> object:
    """Refuse `true` and `false` where a number is meant; Python takes them for 1 and 0."""
    if isinstance(value, bool):
        raise PydanticCustomError("switch", "a number")
    return value


def _one_line(value: str) -> str:
    if found := _CONTROL.search(value):
        raise stated(f"must be one line of text, but holds the control character U+{ord(found[0]):04X}.")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise stated("must not be empty.")
    return value


def _path(value: object) -> object:
    return _not_blank(value) if isinstance(value, str) else value


def folder_name(name: str) -> str:
    """Refuse what cannot name a folder everywhere."""
    if not _FOLDER_NAME.fullmatch(name):
        rule = "must begin with a letter or a digit and hold only letters without accents, digits, `.`, `_` and `-`"
        raise stated(f"{rule}, but is `{name}` instead.")
    return name


def distinct(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse labels that occur twice."""
    faults: list[Fault] = [
        ((index,), f"`{label}` is a label already; labels must be distinct.")
        for index, label in enumerate(labels)
        if label in labels[:index]
    ]
    if faults:
        raise located(faults)
    return labels


ComponentParams = SerializeAsAny[BaseModel]
Count = Annotated[int, Field(ge=0), BeforeValidator(not_a_switch)]
PositiveInt = Annotated[int, Field(ge=1), BeforeValidator(not_a_switch)]
PositiveFloat = Annotated[float, Field(gt=0), BeforeValidator(not_a_switch)]
Line = Annotated[str, AfterValidator(_one_line)]
Text = Annotated[Line, AfterValidator(_not_blank)]
FilePath = Annotated[Path, BeforeValidator(_path)]
