"""`Group`: the cells that differ in their replicates alone, as one system. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np

from vietmer_core.ablation.cell import title_of
from vietmer_core.ablation.results import StoredCell, StoredMatrix
from vietmer_core.ablation_results.predictions import CellPredictions, fold_axes, levels_on, read_all
from vietmer_core.comparison.systems import System
from vietmer_core.errors import RunError


@attrs.frozen(kw_only=True)
class MissingCell:
    """A cell of which the table has no score.

    Attributes:
        title: Its levels.
        status: `pending`, `failed`, or `unusable` where it finished but its files cannot be used.
        reason: Why.
    """

    title: str
    status: str
    reason: str


@attrs.frozen(kw_only=True, eq=False)
class Group:
    """One choice of levels with all of its replicates.

    Attributes:
        name: `fusion=xattn, pooler=mean`.
        levels: The same by axis.
        num_replicates: Replicates that the matrix has, folds not counted.
        system: What those that are whole predicted; None where none is. Its seeds are positions in the order of the
            matrix, so that equal numbers are the same replicate in every group.
        data: Fingerprints of what was tested.
        missing: Its cells without a score.
    """

    name: str
    levels: Mapping[str, str]
    num_replicates: int
    system: System | None
    data: tuple[str, ...]
    missing: tuple[MissingCell, ...]


@attrs.frozen(kw_only=True, eq=False)
class Groups:
    """All groups of a matrix.

    Attributes:
        groups: In the order of the axes.
        replicates: The name of each replicate, by its number in `System.seeds`.
        folds: The replicate axes that are folds, joined in each group.
    """

    groups: tuple[Group, ...]
    replicates: tuple[str, ...]
    folds: tuple[str, ...]


def read_groups(matrix: StoredMatrix) -> Groups:
    """Read what the cells of a matrix predicted, and put replicates together.

    A cell that cannot be used is told among the missing ones; the others are still read.
    """
    predictions, failures = read_all(matrix.cells)
    folds = fold_axes(predictions.values(), tuple(matrix.replicates))
    repeated = [axis for axis in matrix.replicates if axis not in folds]
    order = list(dict.fromkeys(levels_on(cell.levels, repeated) for cell in matrix.cells))
    members: dict[tuple[str, ...], list[StoredCell]] = {}
    for cell in matrix.cells:
        members.setdefault(levels_on(cell.levels, matrix.axes), []).append(cell)
    read = _Reader(predictions=predictions, failures=failures, repeated=tuple(repeated), order=tuple(order))
    return Groups(
        groups=tuple(read.group(matrix, cells) for cells in members.values()),
        replicates=tuple(", ".join(key) for key in order),
        folds=folds,
    )


@attrs.frozen(kw_only=True, eq=False)
class _Reader:
    """Makes groups of cells that were read."""

    predictions: Mapping[str, CellPredictions]
    failures: Mapping[str, str]
    repeated: tuple[str, ...]
    order: tuple[tuple[str, ...], ...]

    def group(self, matrix: StoredMatrix, cells: Sequence[StoredCell]) -> Group:
        levels = matrix.kind_of(cells[0])
        name = title_of(levels) or matrix.name
        missing = list(self._missing(cells))
        whole: dict[int, System] = {}
        by_replicate: dict[tuple[str, ...], list[StoredCell]] = {}
        for cell in cells:
            by_replicate.setdefault(levels_on(cell.levels, self.repeated), []).append(cell)
        for key, parts in by_replicate.items():
            if all(cell.id in self.predictions for cell in parts):
                number = self.order.index(key)
                try:
                    whole[number] = _joined([self.predictions[cell.id] for cell in parts], name=name, seed=number)
                    _require_same_rows(whole, number)
                except RunError as error:
                    whole.pop(number, None)
                    missing += [MissingCell(title=cell.title, status="unusable", reason=str(error)) for cell in parts]
        used = [self.predictions[cell.id] for cell in cells if cell.id in self.predictions]
        return Group(
            name=name,
            levels=levels,
            num_replicates=len(by_replicate),
            system=_stacked(whole),
            data=tuple(dict.fromkeys(one.data for one in used)),
            missing=tuple(missing),
        )

    def _missing(self, cells: Sequence[StoredCell]) -> Iterator[MissingCell]:
        for cell in cells:
            if cell.id in self.failures:
                status = "unusable" if cell.status == "finished" else cell.status
                yield MissingCell(title=cell.title, status=status, reason=self.failures[cell.id])


def _joined(parts: Sequence[CellPredictions], *, name: str, seed: int) -> System:
    """One replicate, its folds joined.

    Raises:
        RunError: if two folds tested an utterance both, or their label spaces differ.
    """
    labels = parts[0].outcomes.labels
    ids = tuple(utterance for part in parts for utterance in part.utterance_ids)
    if len(set(ids)) < len(ids):
        raise RunError("several of its folds tested the same utterance, so that they cannot be joined.")
    if any(part.outcomes.labels != labels for part in parts):
        raise RunError("its folds have different label spaces, so that they cannot be joined.")
    sizes = [len(part.utterance_ids) for part in parts]
    return System(
        name=name,
        labels=labels,
        utterance_ids=ids,
        speakers=tuple(speaker for part in parts for speaker in part.speakers),
        truth=np.concatenate([part.outcomes.truth for part in parts]),
        probabilities=np.concatenate([part.outcomes.probabilities for part in parts])[None],
        seeds=(seed,),
        folds=np.repeat(np.arange(len(parts)), sizes) if len(parts) > 1 else None,
        runs=tuple(str(part.cell.run.path) for part in parts),
    ).sorted_by_id()


def _require_same_rows(whole: Mapping[int, System], number: int) -> None:
    first, other = next(iter(whole.values())), whole[number]
    same_labels = first.labels == other.labels and first.speakers == other.speakers
    if first.utterance_ids != other.utterance_ids or not same_labels or not np.array_equal(first.truth, other.truth):
        raise RunError("it tested other utterances, labels or speakers than the first replicate of its group.")


def _stacked(whole: Mapping[int, System]) -> System | None:
    """Replicates of one test set as one system."""
    if not whole:
        return None
    parts = [whole[number] for number in sorted(whole)]
    return attrs.evolve(
        parts[0],
        probabilities=np.concatenate([part.probabilities for part in parts]),
        seeds=tuple(seed for part in parts for seed in part.seeds),
        runs=tuple(run for part in parts for run in part.runs),
    )
