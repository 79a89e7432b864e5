"""From cells to the entries of the matrix: one for each corpus trained on and each tested on. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from vietmer_core.comparison.comparing import SystemScores, scores_of
from vietmer_core.comparison.pairs import Difference, compare_pair
from vietmer_core.comparison.systems import System
from vietmer_core.crosscorpus.cells import Cell, FailedCell

METRICS = ("macro_f1", "balanced_accuracy")
"""The metrics shown."""


@attrs.frozen(kw_only=True)
class Entry:
    """One corpus trained on and one tested on, over all seeds.

    Attributes:
        train: Trained on.
        test: Tested on.
        labels: Those scored: common to both, in the order of the label space.
        num_utterances: Test utterances of these labels.
        num_speakers: Clusters; an utterance of an unknown speaker is one of its own.
        scores: By metric; None where no seed has a cell.
        lost: A metric of the model trained on the tested corpus itself, over the same labels, minus this one's, by
            metric; None on the diagonal and where that model is missing.
        protocol: How the tested corpus was split.
        audit: The verdict on leaks.
        failures: Why cells are missing, one sentence a seed.
    """

    train: str
    test: str
    labels: tuple[str, ...]
    num_utterances: int
    num_speakers: int
    scores: SystemScores | None
    lost: Mapping[str, Difference] | None
    protocol: str | None
    audit: str
    failures: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return attrs.asdict(self)


def entries_of(cells: Sequence[Cell | FailedCell], *, names: Sequence[str]) -> list[Entry]:
    """The entries, row by row, of corpora in their order."""
    return [_entry(cells, train=train, test=test) for train in names for test in names]


def _at(cells: Sequence[Cell | FailedCell], train: str, test: str) -> tuple[list[Cell], list[FailedCell]]:
    here = [cell for cell in cells if (cell.place.train, cell.place.test) == (train, test)]
    return [cell for cell in here if isinstance(cell, Cell)], [cell for cell in here if isinstance(cell, FailedCell)]


def _entry(cells: Sequence[Cell | FailedCell], *, train: str, test: str) -> Entry:
    found, failed = _at(cells, train, test)
    reasons = tuple(f"seed {cell.place.seed}: {cell.reason}" for cell in failed)
    if not found:
        return Entry(
            train=train,
            test=test,
            labels=(),
            num_utterances=0,
            num_speakers=0,
            scores=None,
            lost=None,
            protocol=None,
            audit="not audited",
            failures=reasons,
        )
    system = over_seeds(found)
    scores = scores_of(system)
    return Entry(
        train=train,
        test=test,
        labels=system.labels,
        num_utterances=system.num_utterances,
        num_speakers=scores.scores["macro_f1"].interval.spread.num_speakers,
        scores=scores,
        lost=None if train == test else _lost(system, _at(cells, test, test)[0]),
        protocol=found[0].protocol,
        audit=found[0].audit,
        failures=reasons,
    )


def over_seeds(cells: Sequence[Cell], labels: Sequence[str] | None = None) -> System:
    """The predictions of all seeds of one entry."""
    systems = sorted((cell.as_system(labels).sorted_by_id() for cell in cells), key=lambda system: system.seeds)
    return attrs.evolve(
        systems[0],
        probabilities=np.concatenate([system.probabilities for system in systems]),
        seeds=tuple(seed for system in systems for seed in system.seeds),
        runs=tuple(run for system in systems for run in system.runs),
    )


def _lost(system: System, own: Sequence[Cell]) -> dict[str, Difference] | None:
    """What is lost against training on the tested corpus itself."""
    if not own or not set(system.labels) <= set(own[0].labels):
        return None
    pair = compare_pair(over_seeds(own, system.labels), system)
    return {metric: pair.differences[metric] for metric in METRICS}


def notes_of(entries: Sequence[Entry], *, space: Sequence[str]) -> Iterator[str]:
    """Which entries are scored over fewer labels than the space has, and what else a reader must know."""
    by_labels: dict[tuple[str, ...], list[str]] = {}
    for entry in entries:
        if entry.labels and entry.labels != tuple(space):
            by_labels.setdefault(entry.labels, []).append(f"{entry.train} → {entry.test}")
    for labels, named in by_labels.items():
        lacking = ", ".join(label for label in space if label not in labels)
        yield (
            f"scored over {', '.join(labels)} alone, since one of the two corpora lacks {lacking}: {'; '.join(named)}. "
            "A score over fewer labels is easier; `lost` compares over the same labels."
        )
    leaks = [f"{entry.train} → {entry.test}" for entry in entries if entry.audit == "leak"]
    if leaks:
        where = "; ".join(leaks)
        yield f"leaks from training to test: {where}. `vietmer data audit` names them; the score is too good."
    few = sorted({f"{entry.test} ({entry.num_speakers})" for entry in entries if 0 < entry.num_speakers < 20})
    if few:
        yield f"few test speakers, so that intervals are wide: {', '.join(few)}."
