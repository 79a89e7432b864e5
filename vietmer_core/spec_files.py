"""Reading spec files: YAML or TOML, composed in order, overridden by `--set`, with the line of every field. Torch-free.

Composition: a later file wins; mappings merge; a component entry whose `kind` differs replaces the earlier entry whole,
since the parameters of one kind mean nothing to another. A path in `data` is relative to the file that names it.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import yaml

from vietmer_core.errors import Problem, SpecError
from vietmer_core.spec import COMPONENT_FIELDS, SPLITS

Location = tuple[str | int, ...]
_TABLE: Final = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_KEY: Final = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


@attrs.frozen(kw_only=True)
class SpecDocument:
    """The values of one or several composed files, and the place (`file:line`) of each."""

    values: dict[str, Any]
    places: Mapping[Location, str]

    def place(self, location: Location) -> str:
        """The place of a field, or of the nearest thing around it."""
        for end in range(len(location), -1, -1):
            if location[:end] in self.places:
                return self.places[location[:end]]
        return ""


def _refuse(place: str, message: str, remedy: str = "") -> SpecError:
    return SpecError("the spec cannot be read:", [Problem(where=place, message=message, remedy=remedy)])


def _yaml_places(node: yaml.Node, file: str, location: Location, places: dict[Location, str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*location, str(key.value))
            if inner in places:
                line = key.start_mark.line + 1
                raise _refuse(f"{file}:{line}", f"`{'.'.join(map(str, inner))}` stands twice.", "Remove one of them.")
            places[inner] = f"{file}:{key.start_mark.line + 1}"
            _yaml_places(value, file, inner, places)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            places[*location, index] = f"{file}:{value.start_mark.line + 1}"
            _yaml_places(value, file, (*location, index), places)


def _read_yaml(text: str, file: str) -> SpecDocument:
    places: dict[Location, str] = {(): file}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _refuse(f"{file}:{line}", f"is not YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise _refuse(file, f"is not YAML: {error}.") from None
    if node is not None:
        _yaml_places(node, file, (), places)
    return SpecDocument(values=values if values is not None else {}, places=places)


def _toml_places(text: str, file: str) -> dict[Location, str]:
    places: dict[Location, str] = {(): file}
    table: Location = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = tuple(part.strip(" \"'") for part in header[1].split("."))
            places.setdefault(table, f"{file}:{number}")
        elif key := _KEY.match(line):
            places.setdefault((*table, *(part.strip(" \"'") for part in key[1].split("."))), f"{file}:{number}")
    return places


def _read_toml(text: str, file: str) -> SpecDocument:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refuse(file, f"is not TOML: {error}.") from None
    return SpecDocument(values=values, places=_toml_places(text, file))


def read_document(path: Path) -> SpecDocument:
    """Read one spec file.

    Raises:
        SpecError: if it cannot be read, is neither YAML nor TOML, or does not hold a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _refuse(str(path), "there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _refuse(str(path), f"cannot be read: {error}.") from None
    if path.suffix not in (".yaml", ".yml", ".toml"):
        raise _refuse(str(path), f"must end in .yaml, .yml or .toml, but ends in `{path.suffix}` instead.")
    document = _read_toml(text, str(path)) if path.suffix == ".toml" else _read_yaml(text, str(path))
    if not isinstance(document.values, dict):
        raise _refuse(str(path), "must hold a mapping of fields, such as `labels: [angry, happy]`.")
    return attrs.evolve(document, values=_anchored(_plain(document.values), path.resolve().parent))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """`pooler: mean` is short for `pooler: {kind: mean}`."""
    return {
        key: {"kind": value} if key in COMPONENT_FIELDS and isinstance(value, str) else value
        for key, value in values.items()
    }


def _anchored_entry(entry: Any, folder: Path) -> Any:
    if isinstance(entry, str):
        return os.path.normpath(folder / Path(entry).expanduser())
    if isinstance(entry, dict):
        paths = {
            key: os.path.normpath(folder / Path(entry[key]).expanduser())
            for key in ("path", "root")
            if isinstance(entry.get(key), str)
        }
        return {**entry, **paths}
    return entry


def _anchored(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    data = values.get("data")
    if not isinstance(data, dict):
        return values
    anchored = {
        name: [_anchored_entry(entry, folder) for entry in split]
        if isinstance(split, list)
        else _anchored_entry(split, folder)
        for name, split in data.items()
        if name in SPLITS
    }
    return {**values, "data": {**data, **anchored}}


def _merged(earlier: Mapping[str, Any], later: Mapping[str, Any], *, location: Location = ()) -> dict[str, Any]:
    merged = dict(earlier)
    for key, value in later.items():
        old = merged.get(key)
        is_new_kind = (
            not location
            and key in COMPONENT_FIELDS
            and isinstance(old, dict)
            and isinstance(value, dict)
            and value.get("kind", old.get("kind")) != old.get("kind")
        )
        if isinstance(old, dict) and isinstance(value, dict) and not is_new_kind:
            merged[key] = _merged(old, value, location=(*location, key))
        else:
            merged[key] = value
    return merged


def read_override(text: str) -> SpecDocument:
    """Read one `a.b=c`; the value is read as YAML, so `--set training.epochs=3` is a number.

    Raises:
        SpecError: if there is no `=`, no name, or the value is not YAML.
    """
    name, equals, value = text.partition("=")
    keys = tuple(name.strip().split("."))
    place = f"--set {text}"
    if not equals or not all(keys):
        raise _refuse(place, "must have the form `a.b=value`, such as `--set training.epochs=3`.")
    try:
        nested: Any = yaml.safe_load(value)
    except yaml.YAMLError:
        raise _refuse(place, f"`{value}` is not a YAML value.", "Quote it.") from None
    places: dict[Location, str] = {keys[: end + 1]: place for end in range(len(keys))}
    for key in reversed(keys):
        nested = {key: nested}
    return SpecDocument(values=_anchored(_plain(nested), Path.cwd()), places=places)


def compose(documents: Sequence[SpecDocument]) -> SpecDocument:
    """Lay documents over each other, the later over the earlier."""
    values: dict[str, Any] = {}
    places: dict[Location, str] = {}
    for document in documents:
        values = _merged(values, document.values)
        places |= {location: place for location, place in document.places.items() if location or not places}
    return SpecDocument(values=values, places=places)


def read_documents(paths: Sequence[Path], overrides: Sequence[str] = ()) -> SpecDocument:
    """Read files in order, then `--set` overrides, into one document.

    Raises:
        SpecError: with every file and override that cannot be read.
    """
    documents, problems = [], list[Problem]()
    readers = [*((read_document, path) for path in paths), *((read_override, text) for text in overrides)]
    for reader, argument in readers:
        try:
            documents.append(reader(argument))  # type: ignore[operator]  # each reader stands with its argument
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError("the spec cannot be read:", problems)
    return compose(documents)
