"""Which cells are meant: `--only pooler=mean,max`, named groups, exclusions. Torch-free."""

from collections.abc import Mapping, Sequence

from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.matrix_spec import MatrixSpec, unknown_levels
from vietmer_core.errors import Problem, SpecError

Condition = Mapping[str, Sequence[str]]


def is_met(condition: Condition, levels: Mapping[str, str]) -> bool:
    """Whether a cell has, on each axis that is named, one of the levels that are named."""
    return all(levels[axis] in wanted for axis, wanted in condition.items())


def read_condition(text: str, spec: MatrixSpec) -> Condition:
    """Read one `--only`: `pooler=mean,max,fusion=xattn`.

    Raises:
        SpecError: if it is not of that form, or names an axis or a level that there is not.
    """
    condition: dict[str, tuple[str, ...]] = {}
    axis = ""
    for part in text.split(","):
        name, equals, level = (piece.strip() for piece in part.partition("="))
        axis, level = (name, level) if equals else (axis, name)
        if not axis or not level:
            message = "must have the form `AXIS=LEVEL,…`, such as `--only pooler=mean,max,fusion=xattn`."
            raise SpecError("the selection cannot be used:", [Problem(where=f"--only {text}", message=message)])
        condition[axis] = (*condition.get(axis, ()), level)
    unknown = unknown_levels(condition, {name: found.names() for name, found in spec.all_axes().items()})
    if unknown:
        problems = [Problem(where=f"--only {text}", message=_said(steps, sentence)) for steps, sentence in unknown]
        raise SpecError("the selection cannot be used:", problems)
    return condition


def _said(steps: Sequence[str | int], sentence: str) -> str:
    return f"`{steps[0]}`: {sentence}" if sentence.startswith("there is") else sentence


def read_group(name: str, spec: MatrixSpec) -> Sequence[Condition]:
    """The conditions of a named group; a cell belongs to it that meets one of them.

    Raises:
        SpecError: if there is no such group.
    """
    if name in spec.groups:
        return spec.groups[name]
    there_are = f"there are: {', '.join(spec.groups)}." if spec.groups else "the matrix names none under `groups`."
    problem = Problem(where=f"--group {name}", message=f"there is no such group; {there_are}")
    raise SpecError("the selection cannot be used:", [problem])


def chosen_cells(
    spec: MatrixSpec, cells: Sequence[Cell], *, only: Sequence[str], groups: Sequence[str]
) -> tuple[Cell, ...]:
    """The cells that meet every `--only` and, where groups are named, belong to one of them.

    Raises:
        SpecError: if one names what there is not, or no cell is left.
    """
    conditions = [read_condition(text, spec) for text in only]
    members = [condition for name in groups for condition in read_group(name, spec)]
    found = tuple(
        cell
        for cell in cells
        if all(is_met(condition, cell.levels) for condition in conditions)
        and (not groups or any(is_met(condition, cell.levels) for condition in members))
    )
    if not found:
        said = " ".join([*(f"--only {text}" for text in only), *(f"--group {name}" for name in groups)])
        message = "no cell of the matrix is meant by all of them."
        raise SpecError("the selection cannot be used:", [Problem(where=said, message=message)])
    return found
