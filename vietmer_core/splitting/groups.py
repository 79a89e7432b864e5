"""Groups: the rows that must stay together, since a chain of shared values joins them. Torch-free."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from vietmer_core.splitting.settings import RECORDING, SplitSettings
from vietmer_core.splitting.table import CALL_ID, RECORDING_ID, WAV_PATH, Column, RowTable

_RECORDING_COLUMNS: Final = (RECORDING_ID, CALL_ID, WAV_PATH)


def criteria_of(settings: SplitSettings) -> tuple[str, ...]:
    """The criteria that join rows, as the settings name them; a pattern by what was written."""
    return (*settings.disjoint, *map(str, settings.patterns))


def columns_of(table: RowTable, criterion: str) -> tuple[Column, ...]:
    """The columns of a criterion: a recording is shared through `recording_id`, `call_id` and `wav_path`."""
    names = _RECORDING_COLUMNS if criterion == RECORDING else (criterion,)
    return tuple(table.columns[name] for name in names)


def join_rows(table: RowTable, criteria: Iterable[str]) -> NDArray[np.int64]:
    """The group of every row, `(rows,)`, counted from 0 in the order of their first rows.

    Rows are joined where they share a value of any criterion, and so are their groups: connected components of the
    graph of rows and values. A row without a value is joined by its other criteria alone.
    """
    columns = [column for criterion in criteria for column in columns_of(table, criterion)]
    return join_columns(columns, num_rows=len(table))


def join_columns(columns: Sequence[Column], *, num_rows: int) -> NDArray[np.int64]:
    """As `join_rows`, from columns of `num_rows` rows."""
    edges, num_nodes = [], num_rows
    for column in columns:
        (known,) = np.nonzero(column.codes >= 0)
        edges.append(np.stack([known, column.codes[known] + num_nodes]))  # (2, edges)
        num_nodes += len(column.names)
    ends = np.concatenate(edges, axis=1) if edges else np.zeros((2, 0), dtype=np.int64)  # (2, edges)
    graph = coo_matrix((np.ones(ends.shape[1], dtype=np.int8), (ends[0], ends[1])), shape=(num_nodes, num_nodes))
    _, components = connected_components(graph, directed=False)
    return in_order(components[:num_rows].astype(np.int64))


def in_order(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same partition `(rows,)`, its parts counted from 0 in the order of their first rows."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    renumbered: NDArray[np.int64] = rank[inverse]
    return renumbered
