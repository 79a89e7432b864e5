"""`Board`: entries of one test set, label space, protocol and split, ranked. Torch-free."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.comparison.best import BestSet, best_of
from vietmer_core.comparison.systems import System, aligned, clusters_of
from vietmer_core.comparison.wording import ALPHA, speakers
from vietmer_core.errors import RunError
from vietmer_core.leaderboard.entries import BoardKey, Entry, entries_of
from vietmer_core.leaderboard.finding import METRICS, Result, Standing, find_results

STANDINGS: Final[tuple[Standing, ...]] = ("audited", "no protocol", "not audited", "leak")
SPLITS: Final = ("test", "valid", "train")


@attrs.frozen(kw_only=True)
class Placed:
    """A line of a table.

    Attributes:
        rank: From 1; equal scores share one.
        entry: What stands there.
        mark: `first`, `not distinguishable` from it, `below`, or empty where nothing tells.
        p: Of the difference from the first, times the number of such differences; None as above.
    """

    rank: int
    entry: Entry
    mark: str
    p: float | None


@attrs.frozen(kw_only=True)
class Board:
    """One table.

    Attributes:
        key: What its entries share.
        num_utterances: Tested.
        num_speakers: Of these; None where no entry has predictions.
        lines: Best first.
        notes: What a reader must know.
    """

    key: BoardKey
    num_utterances: int
    num_speakers: int | None
    lines: tuple[Placed, ...]
    notes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Leaderboard:
    """All tables, and what could not be used.

    Attributes:
        boards: Tables of test splits first, and of these the audited ones.
        faults: A sentence on each result that stands in none.
    """

    boards: tuple[Board, ...]
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {"version": 1, "boards": [_board_json(board) for board in self.boards], "faults": list(self.faults)}


def build_leaderboard(folder: Path, *, seed: int = 0) -> Leaderboard:
    """Read every result below a folder and rank what can be compared.

    Args:
        folder: Holds run folders and matrices, at any depth.
        seed: Of swaps.

    Raises:
        RunError: if there is no such folder.
    """
    found = list(find_results(folder))
    entries, faults = entries_of([result for result in found if isinstance(result, Result)])
    by_key: dict[BoardKey, list[Entry]] = {}
    for entry in entries:
        by_key.setdefault(entry.key, []).append(entry)
    boards = sorted((_board(key, members, seed=seed) for key, members in by_key.items()), key=_order)
    unread = [fault for fault in found if isinstance(fault, str)]
    return Leaderboard(boards=tuple(boards), faults=tuple(sorted([*unread, *faults])))


def _order(board: Board) -> tuple[object, ...]:
    key = board.key
    split = SPLITS.index(key.split) if key.split in SPLITS else len(SPLITS)
    return (split, key.split, STANDINGS.index(key.standing), key.protocol or "", key.labels, key.classes, key.data)


def _board(key: BoardKey, entries: Sequence[Entry], *, seed: int) -> Board:
    ordered = sorted(entries, key=lambda entry: (-round(entry.scores["macro_f1"], 12), entry.name, entry.runs))
    ranks = _ranks([round(entry.scores["macro_f1"], 12) for entry in ordered])
    systems = [entry.system for entry in ordered if entry.system is not None]
    best, notes = _best(systems, seed=seed)
    first = best is not None and ordered[0].system is not None
    lines = [
        _placed(entry, rank=rank, best=best if first else None) for entry, rank in zip(ordered, ranks, strict=True)
    ]
    return Board(
        key=key,
        num_utterances=ordered[0].num_utterances,
        num_speakers=_num_speakers(ordered) or None,
        lines=tuple(lines),
        notes=(*_cautions(key), *notes, *_notes(ordered, best)),
    )


def _ranks(values: Sequence[float]) -> list[int]:
    """Of sorted values; equal ones share the rank of the first."""
    return [1 + values.index(value) for value in values]


def _best(systems: Sequence[System], *, seed: int) -> tuple[BestSet | None, list[str]]:
    if not systems:
        return None, []
    try:
        return best_of(aligned(systems), metric="macro_f1", seed=seed), []
    except RunError as error:
        return None, [f"Nothing is compared with the first: {error}"]


def _placed(entry: Entry, *, rank: int, best: BestSet | None) -> Placed:
    if best is None or entry.system is None:
        return Placed(rank=rank, entry=entry, mark="first" if rank == 1 else "", p=None)
    p = best.p.get(entry.system.name)
    if p is None or rank == 1:
        return Placed(rank=rank, entry=entry, mark="first", p=None)
    return Placed(rank=rank, entry=entry, mark="not distinguishable" if p > ALPHA else "below", p=p)


def _cautions(key: BoardKey) -> Iterator[str]:
    if key.split == "valid":
        yield "This split chose the checkpoints, so its scores are too good: they never stand beside test scores."
    elif key.split == "train":
        yield "The models were trained on this split: its scores say nothing of other data."
    if key.standing == "leak":
        yield "Leak found: test and training data share what they must not, so that scores may be too high."
    elif key.standing == "not audited":
        yield "Not audited: nobody searched these splits for leaks (`vietmer data audit`)."
    elif key.standing == "no protocol":
        yield "No protocol: the manifests do not say how the corpus was split (`vietmer data split` writes it)."


def _notes(entries: Sequence[Entry], best: BestSet | None) -> Iterator[str]:
    without = sum(entry.system is None for entry in entries)
    if without and len(entries) > 1:
        yield (
            f"{without} of {len(entries)} entries have no predictions beside their scores, so that nothing tells "
            "whether they can be told from the first."
        )
    if best is not None and best.smallest_p is not None and best.smallest_p > ALPHA:
        count = _num_speakers(entries)
        yield (
            f"{speakers(count)} allow no p below {best.smallest_p:.3f} for so many entries: none can be told from the "
            "first, however large the difference."
        )


def _num_speakers(entries: Sequence[Entry]) -> int:
    """Of what was tested; 0 where no entry has predictions."""
    known = next((entry.system for entry in entries if entry.system is not None), None)
    return 0 if known is None else int(clusters_of(known.speakers).max()) + 1


def _board_json(board: Board) -> dict[str, Any]:
    key = attrs.asdict(board.key)
    return {
        **key,
        "num_utterances": board.num_utterances,
        "num_speakers": board.num_speakers,
        "notes": list(board.notes),
        "entries": [_line_json(line) for line in board.lines],
    }


def _line_json(line: Placed) -> dict[str, Any]:
    entry = line.entry
    return {
        "rank": line.rank,
        "name": entry.name,
        "model": entry.model,
        "mark": line.mark,
        "p": line.p,
        **{metric: entry.scores[metric] for metric in METRICS},
        "deviations": dict(entry.deviations),
        "macro_f1_interval": None if entry.interval is None else list(entry.interval),
        "seeds": list(entry.seeds),
        "runs": list(entry.runs),
        "has_predictions": entry.system is not None,
    }
