"""`Matrix`: a matrix file as it was read, its base composed and its levels ready to be laid over it. Torch-free."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from pydantic import ValidationError

from vietmer_core.ablation.matrix_errors import problems_of_matrix
from vietmer_core.ablation.matrix_spec import AxisSpec, MatrixSpec
from vietmer_core.catalogue import Catalogue
from vietmer_core.errors import Problem, SpecError
from vietmer_core.spec_composition import Override, compose, override
from vietmer_core.spec_document import UNREADABLE, Place, SpecDocument, Steps, TextFault, refused
from vietmer_core.spec_fields import CATALOGUE_KEY
from vietmer_core.spec_files import anchored, read_document, read_override, read_plain, read_steps
from vietmer_core.spec_yaml import parse_yaml


@attrs.frozen(kw_only=True)
class Level:
    """One level of an axis: a document that is laid over the spec, or one field that is set."""

    name: str
    change: SpecDocument | Override

    def laid_over(self, document: SpecDocument) -> SpecDocument:
        """The spec with this level.

        Raises:
            SpecError: if it names an entry that a list does not have.
        """
        if isinstance(self.change, Override):
            return override(document, self.change)
        return compose([document, self.change])


@attrs.frozen(kw_only=True)
class Axis:
    """What is varied, with its levels in order; a replicate is only repeated."""

    name: str
    levels: tuple[Level, ...]
    is_replicate: bool


@attrs.frozen(kw_only=True, eq=False)
class Matrix:
    """A matrix that has been read.

    Attributes:
        path: Its file.
        spec: What the file says.
        axes: The axes, then the replicates.
        base: The base files, with `set` over them.
        overrides: Laid over every cell, levels included (`--set`).
        places: Of what stands in the file.
    """

    path: Path
    spec: MatrixSpec
    axes: tuple[Axis, ...]
    base: SpecDocument
    overrides: tuple[Override, ...]
    places: SpecDocument

    def where(self, *location: str | int) -> str:
        """A place in the file: `matrix.yaml:7: axes.fusion`."""
        name = ".".join(map(str, location))
        return f"{self.places.place(location)}: {name}" if name else str(self.path)


def load_matrix(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    catalogue: Catalogue,
    executor: str | None = None,
    jobs: int | None = None,
) -> Matrix:
    """Read a matrix file and the spec files that it names.

    Args:
        path: The matrix file.
        overrides: `a.b=value` each, over every cell.
        catalogue: Where components come from.
        executor: Instead of that of the file: a kind, or a mapping in YAML.
        jobs: The field `jobs` of the executor.

    Raises:
        SpecError: with every error of the matrix itself, each with its line; or with every file that cannot be read.
    """
    document = with_executor(read_plain(path), executor, jobs)
    try:
        spec = MatrixSpec.model_validate(document.values, context={CATALOGUE_KEY: catalogue})
    except ValidationError as error:
        problems = problems_of_matrix(error, document, catalogue)
        raise SpecError(f"the matrix has {_errors(len(problems))}:", problems) from None
    folder = path.absolute().parent
    base, changes = _read(spec, document, folder=folder, overrides=overrides)
    fixed = part_of(document, ("set",), spec.set, folder=folder)
    axes = tuple(
        Axis(
            name=name,
            levels=_levels(document, (group, name), axis, folder=folder),
            is_replicate=group == "replicates",
        )
        for group in ("axes", "replicates")
        for name, axis in getattr(spec, group).items()
    )
    return Matrix(
        path=path, spec=spec, axes=axes, base=compose([*base, fixed]), overrides=tuple(changes), places=document
    )


def with_executor(document: SpecDocument, executor: str | None, jobs: int | None) -> SpecDocument:
    """The matrix file with what the command line says of the executor.

    Raises:
        SpecError: if that is not YAML.
    """
    values, places = dict(document.values), dict(document.places)
    if executor is not None:
        source = f"--executor {executor}"
        try:
            values["executor"], _ = parse_yaml(executor)
        except TextFault as fault:
            raise refused(source, fault.faults[0][1]) from None
        places = {steps: place for steps, place in places.items() if steps[:1] != ("executor",)}
        places["executor",] = Place(source=source)
    if jobs is not None:
        given = values.get("executor", "local")
        values["executor"] = {**({"kind": given} if not isinstance(given, Mapping) else given), "jobs": jobs}
        places["executor", "jobs"] = Place(source=f"--jobs {jobs}")
    return attrs.evolve(document, values=values, places=places)


def _errors(number: int) -> str:
    return "1 error" if number == 1 else f"{number} errors"


def _read(
    spec: MatrixSpec, document: SpecDocument, *, folder: Path, overrides: Sequence[str]
) -> tuple[list[SpecDocument], list[Override]]:
    problems = lacking_of_base(document, spec.base, folder=folder)
    documents, changes = [], []
    for path in (folder / name.expanduser() for name in spec.base):
        try:
            documents += [read_document(_relative(path))] if path.exists() else []
        except SpecError as error:
            problems += error.problems
    for text in overrides:
        try:
            changes.append(read_override(text))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(UNREADABLE, problems)
    return documents, changes


def lacking_of_base(document: SpecDocument, names: Sequence[Path], *, folder: Path) -> list[Problem]:
    """A problem for each file that `base` names and that is not there, at its line of the matrix or search file."""
    paths = [folder / name.expanduser() for name in names]
    return [
        Problem(
            where=f"{document.place(('base', number))}: base",
            message=f"there is no file `{_relative(path)}`.",
        )
        for number, path in enumerate(paths)
        if not path.exists()
    ]


def _relative(path: Path) -> Path:
    """As a user reads it best: below the working folder, relative to it."""
    plain = Path(os.path.normpath(path))
    return plain.relative_to(Path.cwd()) if plain.is_relative_to(Path.cwd()) else plain


def part_of(document: SpecDocument, steps: Steps, values: Mapping[str, Any], *, folder: Path) -> SpecDocument:
    """What stands at a place of a matrix file, as a document of its own: paths relative to the file."""
    places = {way[len(steps) :]: place for way, place in document.places.items() if way[: len(steps)] == steps}
    return SpecDocument(
        values=anchored(dict(values), folder),
        places={way: place for way, place in places.items() if way},
        files=document.files,
    )


def _levels(document: SpecDocument, steps: Steps, axis: AxisSpec, *, folder: Path) -> tuple[Level, ...]:
    if axis.levels is not None:
        return tuple(
            Level(name=name, change=part_of(document, (*steps, "levels", name), values or {}, folder=folder))
            for name, values in axis.levels.items()
        )
    field = read_steps(axis.field or "")
    return tuple(
        Level(name=name, change=_value(document, (*steps, "values", str(index)), field, value, folder=folder))
        for index, (name, value) in enumerate(zip(axis.names(), axis.values or (), strict=True))
    )


def _value(document: SpecDocument, steps: Steps, field: Steps, value: Any, *, folder: Path) -> Override:
    found = document.place(steps)
    return Override(
        steps=field, value=anchored(value, folder, field), place=Place(source=found.source, line=found.line)
    )
