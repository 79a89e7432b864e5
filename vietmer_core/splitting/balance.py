"""How alike the splits are: what each holds, and how far its labels are from those of the corpus. Torch-free."""

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.splitting.folds import Fold, Groups
from vietmer_core.splitting.settings import SplitSettings
from vietmer_core.splitting.table import Column, RowTable

NO_LABEL = "(no label)"


@attrs.frozen(kw_only=True)
class SplitSummary:
    """What one split of a fold holds.

    Attributes:
        name: `train`, `valid` or `test`.
        num_utterances: Rows.
        share: Of all rows.
        wanted_share: The share that was asked for; None where nothing was, as for a speaker left out.
        num_groups: Groups.
        num_speakers: Known speakers.
        num_unknown_speaker: Rows of unknown speakers.
        classes: Rows of each label of the corpus, also of those that the split lacks.
        divergence: Of the labels of the split from those of the corpus, in bits (`jensen_shannon`).
        deviation: The largest difference between the share of a label here and in the corpus, and its label.
        balance: Rows of each value of each balanced field.
    """

    name: str
    num_utterances: int
    share: float
    wanted_share: float | None
    num_groups: int
    num_speakers: int
    num_unknown_speaker: int
    classes: Mapping[str, int]
    divergence: float
    deviation: tuple[str, float]
    balance: Mapping[str, Mapping[str, int]]

    @property
    def lacking(self) -> tuple[str, ...]:
        """Labels of the corpus that the split does not hold."""
        return tuple(label for label, number in self.classes.items() if not number)


def jensen_shannon(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Jensen–Shannon divergence in bits between two distributions `(classes,)`, from 0 (equal) to 1 (disjoint).

    Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37 (1991).
    """
    mean = (first + second) / 2

    def from_mean(part: NDArray[np.float64]) -> float:
        held = part > 0
        return float((part[held] * np.log2(part[held] / mean[held])).sum())

    return max(0.0, (from_mean(first) + from_mean(second)) / 2)


def count_values(column: Column, rows: NDArray[np.bool_]) -> dict[str, int]:
    """How many of the rows `(rows,)` have each value, and under `NO_LABEL` how many have none, if any row has none."""
    counts = np.bincount(column.codes[rows] + 1, minlength=len(column.names) + 1)  # (values + 1,)
    counted = dict(zip(column.names, counts[1:].tolist(), strict=True))
    return counted if not column.num_absent else {**counted, NO_LABEL: int(counts[0])}


def summarise_fold(fold: Fold, table: RowTable, groups: Groups, settings: SplitSettings) -> tuple[SplitSummary, ...]:
    """A summary of each split of a fold."""
    return tuple(
        _summarise(name, fold.splits == number, table, groups, settings) for number, name in enumerate(settings.splits)
    )


def _summarise(
    name: str, rows: NDArray[np.bool_], table: RowTable, groups: Groups, settings: SplitSettings
) -> SplitSummary:
    everything = np.ones(len(table), dtype=bool)
    classes, all_classes = count_values(table.labels, rows), count_values(table.labels, everything)
    here, there = _shares(list(classes.values())), _shares(list(all_classes.values()))
    largest = int(np.argmax(np.round(np.abs(here - there), 12)))
    speakers = table.speakers.codes[rows]
    return SplitSummary(
        name=name,
        num_utterances=int(rows.sum()),
        share=float(rows.mean()),
        wanted_share=_wanted(name, settings),
        num_groups=len(np.unique(groups.of_row[rows])),
        num_speakers=len(np.unique(speakers[speakers >= 0])),
        num_unknown_speaker=int((speakers < 0).sum()),
        classes=classes,
        divergence=jensen_shannon(here, there),
        deviation=(list(classes)[largest], float(here[largest] - there[largest])),
        balance={field: count_values(table.columns[field], rows) for field in settings.balance},
    )


def _shares(counts: Sequence[int]) -> NDArray[np.float64]:
    values = np.array(counts, dtype=np.float64)
    shares: NDArray[np.float64] = values / values.sum()
    return shares


def _wanted(name: str, settings: SplitSettings) -> float | None:
    if settings.protocol == "holdout":
        return settings.shares[settings.splits.index(name)] / sum(settings.shares)
    if settings.protocol != "kfold":
        return None
    rest = 1 - 1 / settings.num_folds
    return {"train": rest * (1 - settings.valid_share), "valid": rest * settings.valid_share}.get(name, 1 - rest)
