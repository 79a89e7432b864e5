"""`SearchSpec`: a base experiment, the fields to search over, and how many trials. Torch-free."""

import sys
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from vietmer_core.ablation.matrix_spec import AxisSpec, FieldName, ResourcesSpec, unknown_levels
from vietmer_core.ablation.search.searcher import Choice, Range
from vietmer_core.components import Role
from vietmer_core.spec_fields import (
    ComponentParams,
    Fault,
    FilePath,
    PositiveInt,
    component_of,
    folder_name,
    located,
    stated,
)
from vietmer_core.spec_training import Strict

MOST: Final = sys.float_info.max
"""Beyond it nothing can be drawn: not finite, or a whole number that no float is near."""


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("component", "a number")
    if not -MOST <= value <= MOST:
        raise stated("must be a finite number, of at most 1.8e308.")
    return value


Number = Annotated[int | float, PlainValidator(_number)]


class SearchedSpec(Strict):
    """What is searched over: `values` or `levels` as of an axis of a matrix, or all numbers between two bounds.

    Attributes:
        field: The field of the spec, such as `training.learning_rate`.
        values: One level each, without an order.
        levels: Instead of both, levels with names of their own, each a mapping that is laid over the spec.
        low: The least number; whole numbers only are tried where both bounds are whole.
        high: The greatest.
        log: Whether ratios count instead of differences.
        step: Only `low`, `low + step`, ….
    """

    field: FieldName | None = None
    values: list[Any] | None = None
    levels: dict[str, dict[str, Any] | None] | None = None
    low: Number | None = None
    high: Number | None = None
    log: bool = False
    step: Annotated[Number, Field(gt=0)] | None = None

    @property
    def is_range(self) -> bool:
        """Whether it is given by its bounds."""
        return self.low is not None or self.high is not None

    @model_validator(mode="after")
    def _one_form(self) -> "SearchedSpec":
        if not self.is_range:
            if self.log or self.step is not None:
                raise stated("has a `log` or a `step`, which go with `low` and `high`.")
            self._axis()
            return self
        if self.field is None or self.low is None or self.high is None or self.values or self.levels:
            raise stated("must have a `field` with `low` and `high`, or with `values`, or `levels`, one of these.")
        if self.low >= self.high:
            raise located([(("high",), f"must be above `low`, {self.low}, but is {self.high} instead.")])
        if self.log and (self.low <= 0 or self.step is not None):
            raise located([(("log",), "needs a `low` above 0 and no `step`.")])
        if self.is_whole and isinstance(self.step, float):
            raise located([(("step",), "must be a whole number, as `low` and `high` are.")])
        return self

    def _axis(self) -> AxisSpec:
        return AxisSpec.model_validate({"field": self.field, "values": self.values, "levels": self.levels})

    def names(self) -> tuple[str, ...]:
        """Of its levels; none where it is given by its bounds."""
        return () if self.is_range else self._axis().names()

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def domain(self) -> Range | Choice:
        """What a searcher is told of it."""
        if self.low is None or self.high is None:
            return Choice(levels=self.names())
        return Range(
            low=self.low,
            high=self.high,
            log=self.log,
            step=self.step,
            is_whole=self.is_whole,
        )


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


class SearchSpec(Strict):
    """A search.

    Attributes:
        name: Names its folder.
        base: Spec files, laid over one another, the later over the earlier; relative to the search file.
        set: Laid over the base, in every trial; may be the whole spec.
        axes: What is searched over, by name.
        trials: How many.
        parallel: How many run at a time; only one after another they are the same in every search.
        search: What proposes them.
        resources: What each trial needs; a later entry over an earlier.
        executor: What runs them.
    """

    name: Annotated[str, AfterValidator(folder_name)]
    base: Annotated[tuple[FilePath, ...], BeforeValidator(_as_list)] = ()
    set: dict[str, Any] = Field(default_factory=dict)
    axes: Annotated[dict[Annotated[str, Field(pattern=r"^[^\s,=`]+$")], SearchedSpec], Field(min_length=1)]
    trials: PositiveInt = 20
    parallel: PositiveInt = 1
    search: Annotated[ComponentParams, PlainValidator(component_of(Role.SEARCH))] = Field(
        default_factory=lambda: {"kind": "optuna"}, validate_default=True
    )
    resources: Annotated[tuple[ResourcesSpec, ...], BeforeValidator(_as_list)] = ()
    executor: Annotated[ComponentParams, PlainValidator(component_of(Role.EXECUTOR))] = Field(
        default_factory=lambda: {"kind": "local"}, validate_default=True
    )

    @model_validator(mode="after")
    def _names_what_there_is(self) -> "SearchSpec":
        levels = {name: axis.names() for name, axis in self.axes.items()}
        faults: list[Fault] = [
            (("resources", index, "only", *steps), sentence)
            for index, entry in enumerate(self.resources)
            for steps, sentence in unknown_levels(entry.only, levels)
        ]
        if faults:
            raise located(faults)
        return self
