"""The folder of a matrix. Torch-free.

matrix.json      axes, levels, reference, and the cells with their levels and folders
cells/ID/        a folder for each cell (`vietmer_core.ablation.job_folder`)
prepare/ID/      one for each set of features that cells share
probe/ID/        one for each kind of cell that was timed
.audits/         what was found of the splits
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.expansion import reference_of
from vietmer_core.ablation.job_folder import CELL_FILE, JOB_FILE, JobFolder, now, write_json
from vietmer_core.ablation.matrix import Matrix

MATRIX_FILE: Final = "matrix.json"
CELLS: Final = "cells"


@attrs.frozen
class MatrixFolder:
    """The files of one matrix."""

    path: Path

    def cell(self, cell: Cell) -> JobFolder:
        """The folder of a cell."""
        return JobFolder(self.path / CELLS / cell.name)

    def write_matrix(self, matrix: Matrix, cells: Sequence[Cell]) -> None:
        """Write `matrix.json`.

        Raises:
            RunError: if it cannot be written.
        """
        document = {
            "version": 1,
            "name": matrix.spec.name,
            "file": str(matrix.path.absolute()),
            "written": now(),
            "axes": {axis.name: [level.name for level in axis.levels] for axis in matrix.axes if not axis.is_replicate},
            "replicates": {
                axis.name: [level.name for level in axis.levels] for axis in matrix.axes if axis.is_replicate
            },
            "reference": reference_of(matrix),
            "split": matrix.spec.split,
            "cells": [{"id": cell.id, "levels": dict(cell.levels), "folder": f"{CELLS}/{cell.name}"} for cell in cells],
        }
        write_json(self.path / MATRIX_FILE, document)

    def write_cell(self, cell: Cell, *, audit: Mapping[str, Any]) -> None:
        """Write what a cell is to do.

        Raises:
            RunError: if it cannot be written.
        """
        document = {
            "version": 1,
            "job": "cell",
            "id": cell.id,
            "levels": dict(cell.levels),
            "split": cell.split,
            "data": dict(cell.data),
            "audit": dict(audit),
            "resources": attrs.asdict(cell.resources),
            "spec": cell.spec.resolved(),
            "identity": dict(cell.identity),
        }
        write_json(self.cell(cell).path / CELL_FILE, document)

    def write_job(self, folder: JobFolder, document: Mapping[str, Any]) -> None:
        """Write what another job is to do."""
        write_json(folder.path / JOB_FILE, {"version": 1, **document})
