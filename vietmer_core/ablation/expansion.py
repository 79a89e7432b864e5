"""From a matrix to its cells, or to every error in any of them at once. Torch-free."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from vietmer_core.ablation.cell import Cell, title_of
from vietmer_core.ablation.code_version import code_version
from vietmer_core.ablation.executor import Resources
from vietmer_core.ablation.identity import cell_identity, digest_of
from vietmer_core.ablation.matrix import Matrix
from vietmer_core.ablation.opened_data import OpenedData
from vietmer_core.ablation.selection import is_met
from vietmer_core.catalogue import Catalogue
from vietmer_core.errors import DataError, DataProblemsError, Problem, SpecError
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_composition import override
from vietmer_core.spec_document import SpecDocument
from vietmer_core.spec_loading import validate_document

MOST_CELLS: Final = 1000
"""More than these are refused, unless they are meant."""

Levels = Mapping[str, str]


@attrs.frozen(kw_only=True, eq=False)
class Expansion:
    """The cells of a matrix, in the order of its axes, and how many of them it leaves out."""

    cells: tuple[Cell, ...]
    num_excluded: int


class _Problems:
    """Problems of cells; what several cells share is told once."""

    def __init__(self, num_cells: int) -> None:
        self._num_cells = num_cells
        self._found: dict[tuple[str, str, str], list[Levels]] = {}

    def add(self, levels: Levels, problems: Sequence[Problem]) -> None:
        for problem in problems:
            self._found.setdefault((problem.where, problem.message, problem.remedy), []).append(levels)

    def __len__(self) -> int:
        return len(self._found)

    def told(self) -> list[Problem]:
        return [
            Problem(where=where, message=f"{message}{self._cells(cells)}", remedy=remedy)
            for (where, message, remedy), cells in self._found.items()
        ]

    def _cells(self, cells: Sequence[Levels]) -> str:
        """Which cells have a problem: nothing where all have it."""
        if len(cells) == self._num_cells:
            return ""
        shared = {axis: level for axis, level in cells[0].items() if all(other[axis] == level for other in cells)}
        which = f"`{title_of(shared)}`" if shared else f"such as `{title_of(cells[0])}`"
        return f" (in {len(cells)} of {self._num_cells} cells, {which})"


def expand(matrix: Matrix, *, catalogue: Catalogue, allow_many: bool = False) -> Expansion:
    """Compose, validate and identify every cell; open every split that one of them reads.

    Raises:
        SpecError: with every error of every cell at once, cells that are the same experiment included; or if there are
            more than `MOST_CELLS` cells and `allow_many` is not set.
        DataProblemsError: with every fault of their data at once.
    """
    total = math.prod(len(axis.levels) for axis in matrix.axes)
    if total > MOST_CELLS and not allow_many:
        counts = " × ".join(f"{len(axis.levels)} {axis.name}" for axis in matrix.axes)
        message = f"has {total:,} cells ({counts}), more than {MOST_CELLS:,}."
        problem = Problem(where=matrix.where("axes"), message=message, remedy="Leave levels out, or say `--yes`.")
        raise SpecError("the matrix is too large:", [problem])
    chosen = list(_combinations(matrix))
    if not chosen:
        problem = Problem(where=matrix.where("exclude"), message="leaves no cell.", remedy="Leave fewer out.")
        raise SpecError("the matrix has 1 error:", [problem])
    _check_reference(matrix, chosen)
    valid = _validated(matrix, chosen, catalogue)
    return Expansion(cells=_identified(matrix, valid, catalogue), num_excluded=total - len(chosen))


def reference_of(matrix: Matrix) -> dict[str, str]:
    """The level of the reference on each axis; replicates have none."""
    return {
        axis.name: matrix.spec.reference.get(axis.name, axis.levels[0].name)
        for axis in matrix.axes
        if not axis.is_replicate
    }


def _combinations(matrix: Matrix) -> Iterator[Levels]:
    names = [axis.name for axis in matrix.axes]
    for chosen in itertools.product(*(axis.levels for axis in matrix.axes)):
        levels = dict(zip(names, (level.name for level in chosen), strict=True))
        if not any(is_met(condition, levels) for condition in matrix.spec.exclude):
            yield levels


def _check_reference(matrix: Matrix, chosen: Sequence[Levels]) -> None:
    reference = reference_of(matrix)
    if any(reference.items() <= levels.items() for levels in chosen):
        return
    message = f"is `{title_of(reference)}`, which `exclude` leaves out."
    problem = Problem(where=matrix.where("reference"), message=message, remedy="Name a cell that is there.")
    raise SpecError("the matrix has 1 error:", [problem])


def _composed(matrix: Matrix, levels: Levels) -> SpecDocument:
    document = matrix.base
    for axis in matrix.axes:
        level = next(level for level in axis.levels if level.name == levels[axis.name])
        document = level.laid_over(document)
    for change in matrix.overrides:
        document = override(document, change)
    return attrs.evolve(document, files=tuple(dict.fromkeys(document.files)))


def _validated(
    matrix: Matrix, chosen: Sequence[Levels], catalogue: Catalogue
) -> list[tuple[Levels, ExperimentSpec, Resources]]:
    problems = _Problems(len(chosen))
    found = []
    for levels in chosen:
        try:
            spec = validate_document(_composed(matrix, levels), catalogue=catalogue)
        except SpecError as error:
            problems.add(levels, error.problems)
            continue
        resources, lacking = _resources(matrix, levels, spec)
        problems.add(levels, lacking)
        if matrix.spec.split not in dict(spec.data.splits()):
            message = f"the cells are scored on the split `{matrix.spec.split}`, but the spec has none."
            problems.add(levels, [Problem(where=matrix.where("split"), message=message)])
        found.append((levels, spec.model_copy(update={"threads": spec.threads or resources.cpus}), resources))
    if problems:
        raise SpecError(f"the cells of the matrix have {_count(len(problems), 'error')}:", problems.told())
    return found


def _resources(matrix: Matrix, levels: Levels, spec: ExperimentSpec) -> tuple[Resources, list[Problem]]:
    given: dict[str, int | float] = {}
    place = 0
    for index, entry in enumerate(matrix.spec.resources):
        if is_met(entry.only, levels):
            given |= {name: value for name, value in entry.model_dump(exclude={"only"}).items() if value is not None}
            place = index
    cpus = int(given.get("cpus", spec.threads or 1))
    problems = []
    if spec.threads is not None and cpus < spec.threads:
        where = matrix.where("resources", place, "cpus")
        problems = [Problem(where=where, message=f"must be at least `threads` of the spec, {spec.threads}.")]
    memory, minutes = given.get("memory"), given.get("minutes")
    found = Resources(
        cpus=cpus,
        gpus=float(given.get("gpus", 0)),
        memory_bytes=None if memory is None else int(memory),
        minutes=None if minutes is None else int(minutes),
    )
    return found, problems


def _identified(
    matrix: Matrix, valid: Sequence[tuple[Levels, ExperimentSpec, Resources]], catalogue: Catalogue
) -> tuple[Cell, ...]:
    problems = _Problems(len(valid))
    opened = OpenedData(catalogue)
    replicates = frozenset(axis.name for axis in matrix.axes if axis.is_replicate)
    cells = []
    for levels, spec, resources in valid:
        found, faults = opened.fingerprints(spec)
        problems.add(levels, faults)
        code = code_version(spec, catalogue)
        try:
            identity = cell_identity(spec, catalogue, data=found, split=matrix.spec.split, code=code)
        except DataError as error:
            problems.add(levels, [Problem(where="", message=str(error))])
            continue
        digest = digest_of(identity)
        cells.append(
            Cell(
                id=digest,
                levels=levels,
                replicates=replicates,
                spec=spec.model_copy(update={"name": f"{matrix.spec.name}-{digest[:8]}"}),
                split=matrix.spec.split,
                data=found,
                identity=identity,
                resources=resources,
            )
        )
    if problems:
        raise DataProblemsError(f"the data of the cells has {_count(len(problems), 'fault')}:", problems.told())
    _check_distinct(matrix, cells)
    return tuple(cells)


def _check_distinct(matrix: Matrix, cells: Sequence[Cell]) -> None:
    first: dict[str, Cell] = {}
    problems = []
    for cell in cells:
        other = first.setdefault(cell.id, cell)
        if other is not cell:
            message = f"`{cell.title}` is the same experiment as `{other.title}`."
            problems.append(Problem(where=str(matrix.path), message=message, remedy="Leave one out by `exclude`."))
    if problems:
        raise SpecError(f"the matrix has {_count(len(problems), 'cell')} twice:", problems)


def _count(number: int, singular: str) -> str:
    return f"{number} {singular if number == 1 else singular + 's'}"
