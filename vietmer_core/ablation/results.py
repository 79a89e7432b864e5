"""Reading what a matrix has left: its axes, its cells, their scores and predictions. Torch-free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from vietmer_core.ablation.cell import title_of
from vietmer_core.ablation.job_folder import JobFolder, read_json
from vietmer_core.ablation.matrix_folder import MATRIX_FILE
from vietmer_core.errors import RunError
from vietmer_core.training.run_folder import RunFolder


@attrs.frozen(kw_only=True)
class StoredCell:
    """One cell of a matrix, from its folder.

    Attributes:
        id: 64 hexadecimal digits.
        folder: Of its job.
        levels: Its level on each axis, replicates last.
        outcome: What `outcome.json` holds; None where it has not ended.
    """

    id: str
    folder: JobFolder
    levels: Mapping[str, str]
    outcome: Mapping[str, Any] | None

    @property
    def title(self) -> str:
        return title_of(self.levels)

    @property
    def status(self) -> Literal["finished", "failed", "pending"]:
        if self.outcome is None:
            return "pending"
        return "finished" if self.outcome["status"] == "finished" else "failed"

    @property
    def reason(self) -> str:
        """Why it failed; empty where it did not."""
        return "" if self.outcome is None else str(self.outcome.get("reason", ""))

    @property
    def run(self) -> RunFolder:
        """Its run folder."""
        return RunFolder(self.folder.run_path)

    def document(self) -> dict[str, Any]:
        """What `cell.json` holds: `spec` resolved, `data` fingerprints by split, `identity`, `audit`.

        Raises:
            RunError: if it is not there or damaged.
        """
        return self.folder.document()

    def scores(self) -> dict[str, Any]:
        """What its `scores.json` holds.

        Raises:
            RunError: if the cell has not finished, or the file is not there or damaged.
        """
        if self.outcome is None or self.status != "finished":
            raise RunError(f"{self.folder.path}: the cell `{self.title}` has no scores, since it has not finished.")
        path = self.run.evaluation_path(str(self.outcome["split"])) / "scores.json"
        found = read_json(path)
        if found is None:
            raise RunError(f"{path}: there is none. Remove `outcome.json` to have the cell scored again.")
        return found

    @property
    def predictions_path(self) -> Path:
        """The predictions of the split that it is scored on."""
        split = "test" if self.outcome is None else str(self.outcome.get("split", "test"))
        return self.run.predictions_path(split)


@attrs.frozen(kw_only=True)
class StoredMatrix:
    """A matrix, from its folder.

    Attributes:
        path: Its folder.
        name: Of the matrix.
        axes: The levels of each axis, in order, replicates not among them.
        replicates: The levels of each replicate.
        reference: The level of the reference on each axis.
        split: That the cells are scored on.
        cells: In the order of the axes.
    """

    path: Path
    name: str
    axes: Mapping[str, tuple[str, ...]]
    replicates: Mapping[str, tuple[str, ...]]
    reference: Mapping[str, str]
    split: str
    cells: tuple[StoredCell, ...]

    def kind_of(self, cell: StoredCell) -> dict[str, str]:
        """The levels of a cell without its replicates."""
        return {axis: cell.levels[axis] for axis in self.axes}


def read_matrix(folder: Path) -> StoredMatrix:
    """Read a matrix as it stands now; it may be under way.

    Raises:
        RunError: if the folder holds no matrix, or a file of it is damaged.
    """
    document = read_json(folder / MATRIX_FILE) if folder.is_dir() else None
    if document is None:
        raise RunError(
            f"{folder}: holds no matrix, since it has no `{MATRIX_FILE}`. Give the one that `ablate` printed."
        )
    try:
        return StoredMatrix(
            path=folder,
            name=str(document["name"]),
            axes={name: tuple(levels) for name, levels in document["axes"].items()},
            replicates={name: tuple(levels) for name, levels in document["replicates"].items()},
            reference=dict(document["reference"]),
            split=str(document["split"]),
            cells=tuple(_read_cell(folder, entry) for entry in document["cells"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{folder / MATRIX_FILE}: is damaged: {error!r}. Run `vietmer ablate` again.") from None


def _read_cell(folder: Path, entry: Mapping[str, Any]) -> StoredCell:
    job = JobFolder(folder / str(entry["folder"]))
    return StoredCell(id=str(entry["id"]), folder=job, levels=dict(entry["levels"]), outcome=job.outcome())
