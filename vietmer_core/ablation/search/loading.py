"""`Search`: a search file as it was read, and the cell of each trial. Torch-free."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import yaml
from pydantic import ValidationError

from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.expansion import expand
from vietmer_core.ablation.identity import cell_identity, digest_of
from vietmer_core.ablation.matrix import Axis, Level, Matrix, lacking_of_base, part_of, with_executor
from vietmer_core.ablation.matrix_errors import problems_of_matrix
from vietmer_core.ablation.matrix_spec import MatrixSpec, ResourcesSpec
from vietmer_core.ablation.opened_data import OpenedData
from vietmer_core.ablation.search.search_spec import SearchedSpec, SearchSpec
from vietmer_core.ablation.search.searcher import Space, Value
from vietmer_core.ablation.selection import is_met
from vietmer_core.catalogue import Catalogue
from vietmer_core.errors import DataProblemsError, Problem, SpecError
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_composition import Override, compose, override
from vietmer_core.spec_document import UNREADABLE, SpecDocument
from vietmer_core.spec_fields import CATALOGUE_KEY
from vietmer_core.spec_files import anchored, read_documents, read_override, read_plain, read_steps
from vietmer_core.spec_loading import validate_document

SPLIT: Final = "valid"
"""That a trial is scored on: the test split is taken out of its spec."""


@attrs.frozen(kw_only=True, eq=False)
class Search:
    """A search that has been read.

    Attributes:
        path: Its file.
        spec: What the file says.
        base: The base files, with `set` over them.
        overrides: Laid over every trial (`--set`).
        document: The file as it stands.
        catalogue: Where components come from.
    """

    path: Path
    spec: SearchSpec
    base: SpecDocument
    overrides: tuple[Override, ...]
    document: SpecDocument
    catalogue: Catalogue

    def space(self) -> Space:
        """What the searcher is told."""
        return {name: axis.domain() for name, axis in self.spec.axes.items()}

    def cell(self, values: Mapping[str, Value]) -> Cell:
        """The cell of a trial; its spec has no test split.

        Raises:
            SpecError: if the values do not go together.
            DataProblemsError: if its data cannot be used.
        """
        levels = {name: self._level(name, value) for name, value in values.items()}
        axes = tuple(Axis(name=name, levels=(level,), is_replicate=False) for name, level in levels.items())
        names = {name: level.name for name, level in levels.items()}
        fixed = MatrixSpec.model_validate(
            {
                "name": self.spec.name,
                "axes": {name: {"levels": {level: None}} for name, level in names.items()},
                "resources": [_of_one_trial(entry, names) for entry in self.spec.resources],
                "split": SPLIT,
            },
            context={CATALOGUE_KEY: self.catalogue},
        )
        matrix = Matrix(
            path=self.path,
            spec=fixed,
            axes=axes,
            base=_without_test(self.base),
            overrides=self.overrides,
            places=self.document,
        )
        (cell,) = expand(matrix, catalogue=self.catalogue).cells
        if cell.spec.data.test is not None:
            problem = Problem(where=str(self.path), message="a level names a test split, which a search never reads.")
            raise SpecError("the search cannot be used:", [problem])
        return cell

    def whole_spec(self, values: Mapping[str, Value]) -> ExperimentSpec:
        """The spec of some values, with the test split of the base.

        Raises:
            SpecError: if the values do not go together.
        """
        document = self.base
        for name, value in values.items():
            document = self._level(name, value).laid_over(document)
        for change in self.overrides:
            document = override(document, change)
        return validate_document(document, catalogue=self.catalogue)

    def base_digest(self) -> str:
        """What all trials have in common, with the bytes of its data: equal wherever it lies; code is left out.

        Raises:
            SpecError: if the base cannot be used by itself.
            DataProblemsError: if its data cannot be used.
        """
        document = _without_test(self.base)
        for change in self.overrides:
            document = override(document, change)
        spec = validate_document(document, catalogue=self.catalogue)
        data, problems = OpenedData(self.catalogue).fingerprints(spec)
        if problems:
            raise DataProblemsError("the data of the search cannot be used:", problems)
        return digest_of(cell_identity(spec, self.catalogue, data=data, split=SPLIT, code={}))

    def check(self) -> None:
        """Hold each bound and each level, by itself, over the base.

        Raises:
            SpecError: with every error at once.
        """
        problems: list[Problem] = []
        for name, axis in self.spec.axes.items():
            ends: Sequence[Value] = axis.names() if axis.low is None or axis.high is None else (axis.low, axis.high)
            for value in ends:
                try:
                    self.whole_spec({name: value})
                except SpecError as error:
                    problems += error.problems
        if problems:
            raise SpecError("levels of the search cannot be used:", list(dict.fromkeys(problems)))

    def _level(self, name: str, value: Value) -> Level:
        axis, folder = self.spec.axes[name], self.path.absolute().parent
        place = self.document.place(("axes", name))
        if axis.levels is not None:
            change = anchored(axis.levels[str(value)] or {}, folder)
            return Level(name=str(value), change=SpecDocument(values=change, places={(): place}, files=(place.source,)))
        steps = read_steps(axis.field or "")
        given: Any = value
        if not axis.is_range:
            given = anchored((axis.values or [])[axis.names().index(str(value))], folder, steps)
        return Level(name=str(value), change=Override(steps=steps, value=given, place=place))


def load_search(
    path: Path, overrides: Sequence[str] = (), *, catalogue: Catalogue, executor: str | None = None
) -> Search:
    """Read a search file and the spec files that it names.

    Args:
        path: The search file.
        overrides: `a.b=value` each, over every trial.
        catalogue: Where components come from.
        executor: Instead of that of the file: a kind, or a mapping in YAML.

    Raises:
        SpecError: with every error of the file, each with its line; or with every file that cannot be read.
    """
    document = with_executor(read_plain(path), executor, None)
    try:
        spec = SearchSpec.model_validate(document.values, context={CATALOGUE_KEY: catalogue})
    except ValidationError as error:
        problems = problems_of_matrix(error, document, catalogue, model=SearchSpec, axis=SearchedSpec)
        raise SpecError("the search cannot be used:", problems) from None
    folder = path.absolute().parent
    lacking = lacking_of_base(document, spec.base, folder=folder)
    if lacking:
        raise SpecError(UNREADABLE, lacking)
    base = read_documents([folder / name.expanduser() for name in spec.base])
    fixed = part_of(document, ("set",), spec.set, folder=folder)
    return Search(
        path=path,
        spec=spec,
        base=compose([base, fixed]),
        overrides=tuple(map(read_override, overrides)),
        document=document,
        catalogue=catalogue,
    )


def described(axes: Mapping[str, SearchedSpec]) -> dict[str, Any]:
    """The axes as plain values, to tell whether a folder holds the same search."""
    return {name: axis.model_dump(mode="json", exclude_defaults=True) for name, axis in axes.items()}


def as_yaml(spec: ExperimentSpec) -> bytes:
    """A resolved spec as `vietmer train` reads it."""
    return yaml.safe_dump(spec.resolved(), allow_unicode=True, sort_keys=False).encode()


def _of_one_trial(entry: ResourcesSpec, levels: Mapping[str, str]) -> ResourcesSpec:
    """What an entry of `resources` says of a trial with these levels: all of it, or nothing."""
    return entry.model_copy(update={"only": {}}) if is_met(entry.only, levels) else ResourcesSpec()


def _without_test(document: SpecDocument) -> SpecDocument:
    data = document.values.get("data")
    if not isinstance(data, Mapping) or "test" not in data:
        return document
    kept = {name: value for name, value in data.items() if name != "test"}
    return attrs.evolve(document, values={**document.values, "data": kept})
