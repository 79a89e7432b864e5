"""Reading spec files, YAML or TOML, and `--set` overrides into one document. Torch-free.

A path in `data`, and a `checkpoint` that is a folder, are relative to the file that names them; in `--set`, to the
working folder.
"""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from vietmer_core.errors import Problem, SpecError
from vietmer_core.pretrained.params import is_folder
from vietmer_core.spec_composition import Override, compose, override
from vietmer_core.spec_document import (
    UNREADABLE,
    Place,
    SpecDocument,
    Steps,
    TextFault,
    is_checkpoint,
    is_path,
    refused,
)
from vietmer_core.spec_toml import parse_toml
from vietmer_core.spec_yaml import parse_yaml

SUFFIXES: Final = (".yaml", ".yml", ".toml")
_PART: Final = r"""(?:"[^"]+"|'[^']+'|[^.="']+)"""
_OVERRIDE: Final = re.compile(rf"\s*({_PART}(?:\.{_PART})*)\s*=(.*)", re.DOTALL)

T = TypeVar("T")
Argument = TypeVar("Argument")


def read_document(path: Path) -> SpecDocument:
    """Read one spec file.

    Raises:
        SpecError: if it cannot be read, is neither YAML nor TOML, or does not hold a mapping.
    """
    document = read_plain(path)
    return attrs.evolve(document, values=anchored(document.values, path.absolute().parent))


def read_plain(path: Path) -> SpecDocument:
    """Read one file of fields, with its paths as they are written.

    Raises:
        SpecError: as `read_document`.
    """
    text = _read_text(path)
    try:
        values, lines = parse_toml(text) if path.suffix.lower() == ".toml" else parse_yaml(text)
    except TextFault as fault:
        where = [(str(Place(source=str(path), line=line)), message) for line, message in fault.faults]
        raise SpecError(UNREADABLE, [Problem(where=place, message=message) for place, message in where]) from None
    if not isinstance(values, dict):
        raise refused(str(path), "must hold a mapping of fields, such as `name: pilot`.")
    places = {steps: Place(source=str(path), line=line) for steps, line in lines.items()}
    return SpecDocument(values=values, places=places, files=(str(path),))


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise refused(str(path), "is a folder, not a file.", "Name a file in it.")
    if path.suffix.lower() not in SUFFIXES:
        raise refused(str(path), f"must end in .yaml, .yml or .toml, but ends in `{path.suffix}` instead.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise refused(str(path), "there is no such file.") from None
    except OSError as error:
        raise refused(str(path), f"cannot be read: {error.strerror}.") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{content[error.start]:02x} is not UTF-8."
        raise refused(Place(source=str(path), line=line), found, "Save the file as UTF-8.") from None


def anchored(value: Any, folder: Path, steps: Steps = ()) -> Any:
    """The value with every path in it relative to a folder."""
    if isinstance(value, dict):
        return {key: anchored(inner, folder, (*steps, str(key))) for key, inner in value.items()}
    if isinstance(value, list):
        return [anchored(inner, folder, (*steps, str(index))) for index, inner in enumerate(value)]
    if isinstance(value, str) and value.strip() and (is_path(steps) or (is_checkpoint(steps) and is_folder(value))):
        return os.path.normpath(folder / os.path.expanduser(value))  # noqa: PTH111  # Path.expanduser raises where there is no home
    return value


def read_steps(name: str) -> Steps:
    """The way that a field's name says: `data.train.0.label_map."a.b"`; a part that is blank is empty."""
    parts = (part.strip() for part in re.findall(_PART, name))
    return tuple(part[1:-1] if part[:1] in ("'", '"') else part for part in parts)


def read_override(text: str) -> Override:
    """Read one `a.b=value`; the value is read as YAML, so `--set training.epochs=3` is a number.

    A name with a dot in it is quoted: `data.train.0.label_map."a.b"=happy`.

    Raises:
        SpecError: if there is no `=`, no name, or the value is not YAML.
    """
    place = Place(source=f"--set {text}")
    found = _OVERRIDE.fullmatch(text)
    steps = read_steps(found[1]) if found else ()
    if found is None or not all(steps):
        raise refused(place, "must have the form `a.b=value`, such as `--set training.epochs=3`.")
    try:
        value, _ = parse_yaml(found[2]) if found[2].strip() else (None, {})
    except TextFault as fault:
        raise refused(place, f"the value {fault.faults[0][1]}", "Put text that YAML cannot read in quotes.") from None
    return Override(steps=steps, value=anchored(value, Path.cwd(), steps), place=place)


def _each(function: Callable[[Argument], T], arguments: Sequence[Argument], problems: list[Problem]) -> list[T]:
    """The results for all arguments; what cannot be read is noted in `problems`."""
    results = []
    for argument in arguments:
        try:
            results.append(function(argument))
        except SpecError as error:
            problems += error.problems
    return results


def read_documents(paths: Sequence[Path], overrides: Sequence[str] = ()) -> SpecDocument:
    """Read files in order, then `--set` overrides, into one document.

    Raises:
        SpecError: with every file and override that cannot be read.
    """
    problems: list[Problem] = []
    documents = _each(read_document, paths, problems)
    changes = _each(read_override, overrides, problems)
    if problems:
        raise SpecError(UNREADABLE, problems)
    document = compose(documents)
    for change in changes:
        try:
            document = override(document, change)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(UNREADABLE, problems)
    return document
