"""What one cell predicted, and which replicate axes are folds. Torch-free."""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from vietmer_core.ablation.results import StoredCell
from vietmer_core.errors import RunError
from vietmer_core.evaluation.outcomes import Outcomes, outcomes_of_rows
from vietmer_core.evaluation.prediction_files import read_rows

ROUNDING = 1e-9
"""Scores this near to one another are the same."""


@attrs.frozen(kw_only=True, eq=False)
class CellPredictions:
    """What one cell predicted.

    Attributes:
        cell: Its place in the matrix.
        utterance_ids: Of the split.
        speakers: Of each utterance; None where unknown.
        outcomes: Probabilities beside the truth, in the same order.
        data: The fingerprint of the split.
    """

    cell: StoredCell
    utterance_ids: tuple[str, ...]
    speakers: tuple[str | None, ...]
    outcomes: Outcomes
    data: str

    @property
    def tested(self) -> frozenset[str]:
        """The utterances, whatever their order."""
        return frozenset(self.utterance_ids)


def read_predictions(cell: StoredCell) -> CellPredictions:
    """Read what a finished cell predicted.

    Raises:
        RunError: if a file of it is not there, is damaged, or its predictions are not those of its scores.
    """
    scores = cell.scores()
    rows = read_rows(cell.predictions_path)
    outcomes = outcomes_of_rows(rows, place=str(cell.predictions_path))
    ids = tuple(str(row.get("utterance_id", "")) for row in rows)
    if "" in ids or len(set(ids)) < len(ids):
        raise RunError(
            f"{cell.predictions_path}: each row must have an `utterance_id` of its own. Remove `outcome.json` of the "
            "cell to have it scored again."
        )
    accuracy = float(outcomes.hits.mean())
    if scores.get("num_utterances") != len(rows) or abs(float(scores.get("accuracy", -1)) - accuracy) > ROUNDING:
        raise RunError(
            f"{cell.predictions_path}: the predictions are not those of its scores.json. Remove `outcome.json` of the "
            "cell to have it scored again."
        )
    return CellPredictions(
        cell=cell,
        utterance_ids=ids,
        speakers=tuple(row.get("speaker_id") for row in rows),
        outcomes=outcomes,
        data=str(scores.get("data", "")),
    )


def read_all(cells: Iterable[StoredCell]) -> tuple[dict[str, CellPredictions], dict[str, str]]:
    """The predictions of each cell by id, and, of each that has none, why: failed, not run, or damaged."""
    found: dict[str, CellPredictions] = {}
    failures: dict[str, str] = {}
    for cell in cells:
        if cell.status == "pending":
            failures[cell.id] = "has not run to its end yet"
        elif cell.status == "failed":
            failures[cell.id] = f"failed: {cell.reason}"
        else:
            try:
                found[cell.id] = read_predictions(cell)
            except RunError as error:
                failures[cell.id] = str(error)
    return found, failures


def fold_axes(predictions: Iterable[CellPredictions], replicates: Sequence[str]) -> tuple[str, ...]:
    """The replicate axes that are folds: cells that differ in nothing else tested other utterances."""
    read = list(predictions)
    return tuple(axis for axis in replicates if _changes_the_test_set(read, axis))


def _changes_the_test_set(predictions: Sequence[CellPredictions], axis: str) -> bool:
    tested: dict[tuple[tuple[str, str], ...], frozenset[str]] = {}
    for one in predictions:
        others = tuple((name, level) for name, level in one.cell.levels.items() if name != axis)
        if tested.setdefault(others, one.tested) != one.tested:
            return True
    return False


def levels_on(levels: Mapping[str, str], axes: Iterable[str]) -> tuple[str, ...]:
    """The levels of a cell on some axes."""
    return tuple(levels[axis] for axis in axes)
