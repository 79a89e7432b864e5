"""`MatrixSpec`: a base experiment, what is varied of it, and what each of its cells needs. Torch-free."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from vietmer_core.components import Role
from vietmer_core.spec_fields import (
    ComponentParams,
    Fault,
    FilePath,
    PositiveInt,
    Text,
    component_of,
    folder_name,
    located,
    not_a_switch,
    stated,
)
from vietmer_core.spec_files import read_steps
from vietmer_core.spec_training import Strict

_NAME: Final = re.compile(r"[^\s,=`]+")
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB|KB|MB|GB|TB)\s*")
_UNITS: Final = {
    "B": 1,
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", 1)},
}


def _memory(value: object) -> int:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError("component", "a size such as `2GiB` or `500MB`")
    number_of_bytes: int = round(float(found[1]) * _UNITS[found[2]])
    return number_of_bytes


def _plain_name(name: str) -> str:
    """Refuse what `--only axis=level,level` could not say."""
    if not _NAME.fullmatch(name):
        raise stated(f"its name must hold no blank, comma, backtick or `=`, but is `{name}` instead.")
    return name


def _way(name: str) -> str:
    """Refuse what names no field at all, such as `.`."""
    steps = read_steps(name)
    if not steps or not all(steps):
        raise stated(f"must name a field, such as `fusion.dim`, but is `{name}` instead.")
    return name


FieldName = Annotated[Text, AfterValidator(_way)]


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _as_levels(value: object) -> object:
    """One level of a condition stands for a list of one; numbers and switches are named as they are written."""
    return [level_name(entry) for entry in value] if isinstance(value, list | tuple) else [level_name(value)]


def level_name(value: object) -> object:
    """The name of a level that is given by its value alone: a component's is its kind."""
    if isinstance(value, Mapping) and isinstance(value.get("kind"), str):
        return value["kind"]
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, int | float) else value


Levels = Annotated[tuple[Annotated[str, Field(strict=True)], ...], Field(min_length=1), BeforeValidator(_as_levels)]
Selection = dict[str, Levels]
"""From axes to some of their levels: the cells that have one of these on each."""
Selections = Annotated[tuple[Selection, ...], BeforeValidator(_as_list)]


class AxisSpec(Strict):
    """What is varied.

    Attributes:
        field: The field of the spec that takes the `values`, such as `fusion` or `training.learning_rate`.
        values: One level each, named by the value, or by its kind where it is a component.
        levels: Instead of both, levels with names of their own, each a mapping that is laid over the spec.
    """

    field: FieldName | None = None
    values: Annotated[list[Any] | None, Field(min_length=1)] = None
    levels: Annotated[
        dict[Annotated[str, AfterValidator(_plain_name)], dict[str, Any] | None] | None, Field(min_length=1)
    ] = None

    @model_validator(mode="after")
    def _one_form(self) -> "AxisSpec":
        if (self.levels is None) == (self.field is None or self.values is None) or (
            self.levels is not None and (self.field is not None or self.values is not None)
        ):
            raise stated("must have a `field` and its `values`, or `levels`, exactly one of these.")
        faults = [(("values", index), sentence) for index, sentence in self._unnamed()]
        if faults:
            raise located([*faults])
        return self

    def _unnamed(self) -> list[tuple[int, str]]:
        """The values that cannot name their level."""
        found: list[tuple[int, str]] = []
        taken: list[object] = []
        for index, value in enumerate(self.values or []):
            name = level_name(value)
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                found.append((index, "cannot name its level. Write `levels:` with a name for each."))
            elif name in taken:
                found.append((index, f"is named `{name}`, as an earlier one. Write `levels:` with a name for each."))
            taken.append(name)
        return found

    def names(self) -> tuple[str, ...]:
        """Of the levels, in order."""
        return tuple(self.levels) if self.levels is not None else tuple(str(level_name(v)) for v in self.values or ())


class ResourcesSpec(Strict):
    """What a cell needs.

    Attributes:
        only: The cells meant, by their levels; all where empty.
        cpus: Cores, and the threads of a cell whose spec names none; the threads of its spec by default.
        gpus: GPUs, 0 to 1; 0.5 lets two cells share one.
        memory: Main memory, such as `4GiB`.
        minutes: After which it is ended, and counts as failed.
    """

    only: Selection = Field(default_factory=dict)
    cpus: PositiveInt | None = None
    gpus: Annotated[float, Field(ge=0, le=1), BeforeValidator(not_a_switch)] | None = None
    memory: Annotated[int, BeforeValidator(_memory)] | None = None
    minutes: PositiveInt | None = None


class MatrixSpec(Strict):
    """A matrix of experiments.

    Attributes:
        name: Names its folder.
        base: Spec files, laid over one another, the later over the earlier; relative to the matrix file.
        set: Laid over the base, in every cell; may be the whole spec.
        axes: What is compared, by name.
        replicates: What is only repeated: seeds, folds. Means and deviations are over these.
        exclude: Cells to leave out, by their levels.
        groups: Cells by name, for `--group`.
        reference: The cell that the others are compared with; the first level of an axis that it does not name.
        split: What the cells are scored on.
        resources: What each cell needs; a later entry over an earlier.
        executor: What runs the cells.
    """

    name: Annotated[str, AfterValidator(folder_name)]
    base: Annotated[tuple[FilePath, ...], BeforeValidator(_as_list)] = ()
    set: dict[str, Any] = Field(default_factory=dict)
    axes: Annotated[dict[Annotated[str, AfterValidator(_plain_name)], AxisSpec], Field(min_length=1)]
    replicates: dict[Annotated[str, AfterValidator(_plain_name)], AxisSpec] = Field(default_factory=dict)
    exclude: Selections = ()
    groups: dict[str, Selections] = Field(default_factory=dict)
    reference: dict[str, Annotated[str, BeforeValidator(level_name)]] = Field(default_factory=dict)
    split: Literal["test", "valid"] = "test"
    resources: Annotated[tuple[ResourcesSpec, ...], BeforeValidator(_as_list)] = ()
    executor: Annotated[ComponentParams, PlainValidator(component_of(Role.EXECUTOR))] = Field(
        default_factory=lambda: {"kind": "local"}, validate_default=True
    )

    @model_validator(mode="after")
    def _names_what_there_is(self) -> "MatrixSpec":
        faults: list[Fault] = [
            (("replicates", name), "is the name of an axis already.") for name in self.replicates if name in self.axes
        ]
        faults += [
            fault
            for location, selection in self._selections()
            for fault in _unknown(selection, self.all_axes(), location)
        ]
        reference = {axis: (level,) for axis, level in self.reference.items()}
        faults += _unknown(reference, self.axes, ("reference",))
        if faults:
            raise located(faults)
        return self

    def all_axes(self) -> dict[str, AxisSpec]:
        """The axes, then the replicates."""
        return {**self.axes, **self.replicates}

    def _selections(self) -> list[tuple[tuple[str | int, ...], Selection]]:
        groups = [
            (("groups", name, index), selection)
            for name, selections in self.groups.items()
            for index, selection in enumerate(selections)
        ]
        excluded = [(("exclude", index), selection) for index, selection in enumerate(self.exclude)]
        needs = [(("resources", index, "only"), entry.only) for index, entry in enumerate(self.resources)]
        return [*excluded, *groups, *needs]


def _unknown(
    selection: Mapping[str, tuple[str, ...]], axes: Mapping[str, AxisSpec], location: tuple[str | int, ...]
) -> list[Fault]:
    return [
        ((*location, *steps), sentence)
        for steps, sentence in unknown_levels(selection, {name: axis.names() for name, axis in axes.items()})
    ]


def unknown_levels(selection: Mapping[str, Sequence[str]], axes: Mapping[str, tuple[str, ...]]) -> list[Fault]:
    """The axes and levels of a selection that there are not, each with a sentence."""
    from difflib import get_close_matches

    faults: list[Fault] = []
    for axis, levels in selection.items():
        if axis not in axes:
            near = get_close_matches(axis, list(axes), n=1)
            faults.append(((axis,), f"there is no such axis; {_meant(near, list(axes))}"))
            continue
        for level in levels:
            if level not in axes[axis]:
                near = get_close_matches(level, axes[axis], n=1)
                faults.append(((axis,), f"`{axis}` has no level `{level}`; {_meant(near, axes[axis])}"))
    return faults


def _meant(near: list[str], names: tuple[str, ...] | list[str]) -> str:
    if near:
        return f"did you mean `{near[0]}`?"
    return f"there are: {', '.join(names)}." if names else "there are none, since it is given by its bounds."
