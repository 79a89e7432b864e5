"""The table as data frames. pandas is imported late: `pip install "vietmer-core[frames]"`. Torch-free."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from vietmer_core.ablation_results.documents import cell_rows, group_rows
from vietmer_core.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

    from vietmer_core.ablation_results.results import Results


def _pandas() -> ModuleType:
    try:
        return import_module("pandas")
    except ImportError:
        raise RunError('data frames need pandas: `pip install "vietmer-core[frames]"`.') from None


def group_frame(results: "Results") -> "pd.DataFrame":
    """One row a group, one column a figure, the axes first."""
    frame: pd.DataFrame = _pandas().DataFrame(group_rows(results))
    return frame


def cell_frame(results: "Results") -> "pd.DataFrame":
    """One row a cell, the axes and replicates first."""
    frame: pd.DataFrame = _pandas().DataFrame(cell_rows(results))
    return frame
