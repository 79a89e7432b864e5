"""What is known of leaks between the splits of the cells: searched once for all that read the same. Torch-free."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vietmer_core.ablation.cell import Cell
from vietmer_core.ablation.opened_data import READING
from vietmer_core.ablation.running import Board
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.errors import VietmerError


def audited(
    cells: Sequence[Cell], board: Board, *, is_wanted: bool, say: Callable[[str], None]
) -> Iterator[tuple[Cell, dict[str, Any]]]:
    """Each cell with the verdict on its splits; one that cannot be had, or is not wanted, is `not audited`."""
    known: dict[str, dict[str, Any]] = {}
    for cell in cells:
        read = cell.spec.model_dump(mode="json", include=set(READING))  # label maps, too, decide what is compared
        key = json.dumps([sorted(cell.data.items()), read], sort_keys=True)
        if key not in known:
            known[key] = _verdict(cell, board) if is_wanted else _unknown("")
            if known[key]["verdict"] == "leak":
                say(f"the splits of {cell.title} leak: {' '.join(known[key]['leaks'])}")
        yield cell, known[key]


def _verdict(cell: Cell, board: Board) -> dict[str, Any]:
    from vietmer_core.audit.verdicts import verdict_of_run

    board.activity = "searching the splits for leaks"
    try:
        return dict(verdict_of_run(cell.spec, installed_catalogue(), runs_root=board.folder.path).as_json())
    except VietmerError as error:
        return _unknown(str(error))


def _unknown(reason: str) -> dict[str, Any]:
    return {"verdict": "not audited", "leaks": [], "cues": [], **({"reason": reason} if reason else {})}
