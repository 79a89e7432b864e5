"""All that stands in a report, put together: of each run, and of all. Imports matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from vietmer_core.catalogue import Catalogue
from vietmer_core.comparison.comparing_runs import RunComparison, compare_runs
from vietmer_core.comparison.showing import csv_rows, pairs_table, systems_table
from vietmer_core.error_browser.entries import ErrorEntries, worst_entries
from vietmer_core.errors import VietmerError
from vietmer_core.reporting.comparison_figures import comparison_drawings
from vietmer_core.reporting.data_facts import DataFacts, data_facts
from vietmer_core.reporting.drawing import Picture, picture_of
from vietmer_core.reporting.evidence import RunEvidence, read_evidence
from vietmer_core.reporting.reliance_figures import reliance_drawings
from vietmer_core.reporting.report_table import ReportTable
from vietmer_core.reporting.run_tables import (
    components_table,
    data_table,
    labels_table,
    reliance_table,
    shares_table,
)
from vietmer_core.reporting.score_figures import score_drawings
from vietmer_core.reporting.score_tables import headline_table, score_tables
from vietmer_core.reporting.wording import standing, standings
from vietmer_core.reporting.worst import SoundBudget, limited
from vietmer_core.training.run_spec import read_spec

NO_DATA = DataFacts(statistics={}, licences=(), corpora=(), faults=())


@attrs.frozen(kw_only=True, eq=False)
class RunContents:
    """One run in a report.

    Attributes:
        run: What its folder holds.
        facts: What its splits hold.
        tables: By name.
        pictures: By name.
        worst: Its worst utterances, or why they cannot be shown.
    """

    run: RunEvidence
    facts: DataFacts
    tables: Mapping[str, ReportTable]
    pictures: Mapping[str, Picture]
    worst: ErrorEntries | str


@attrs.frozen(kw_only=True, eq=False)
class Contents:
    """A report.

    Attributes:
        runs: In the order given.
        headline: The scores of all.
        comparison: Of several runs, or why they cannot be compared; None with one.
        tables: Of the comparison, by name.
        pictures: Of the comparison, by name.
        sound: How much sound there is.
    """

    runs: tuple[RunContents, ...]
    headline: ReportTable
    comparison: RunComparison | str | None
    tables: Mapping[str, ReportTable]
    pictures: Mapping[str, Picture]
    sound: SoundBudget

    @property
    def split(self) -> str:
        """The split reported."""
        return self.runs[0].run.split


def contents_of(
    paths: Sequence[Path],
    *,
    split: str,
    catalogue: Catalogue,
    worst: int,
    clips: bool,
    sound_bytes: int,
    grouped: bool = True,
) -> Contents:
    """Gather what a report of runs shows.

    Args:
        paths: Run folders, evaluated on the split.
        split: The split.
        catalogue: Where their components come from.
        worst: How many of the worst utterances, by loss and by confidence; none where 0.
        clips: Whether sound is read.
        sound_bytes: The most bytes of it.
        grouped: Whether runs that differ in the seed alone are compared as one system, and folds are joined.

    Raises:
        RunError: if a run cannot be used or was not evaluated.
    """
    runs = read_evidence(paths, split=split)
    found = [_worst(run, catalogue, worst=worst, clips=clips) for run in runs]
    entries, sound = limited(found, limit=sound_bytes)
    comparison = _compare(runs, grouped=grouped) if len(runs) > 1 else None
    tables, pictures = _of_comparison(comparison, runs)
    return Contents(
        runs=tuple(_contents(run, catalogue, worst=own) for run, own in zip(runs, entries, strict=True)),
        headline=headline_table(runs),
        comparison=comparison,
        tables=tables,
        pictures=pictures,
        sound=sound,
    )


def _contents(run: RunEvidence, catalogue: Catalogue, *, worst: ErrorEntries | str) -> RunContents:
    try:
        facts = data_facts(read_spec(run.folder, catalogue), catalogue)
    except VietmerError as error:
        facts = attrs.evolve(NO_DATA, faults=(_first_line(error),))
    tables: list[ReportTable | None] = [components_table(run), data_table(run, facts), labels_table(run, facts)]
    tables += [*score_tables(run), reliance_table(run), shares_table(run)]
    drawings = [*score_drawings(run), *([] if run.reliance is None else reliance_drawings(run.reliance))]
    subject = f"{run.title}, {run.split} split. {standing(run)}"
    return RunContents(
        run=run,
        facts=facts,
        tables={table.name: table for table in tables if table is not None},
        pictures={drawing.name: picture_of(drawing, subject=subject) for drawing in drawings},
        worst=worst,
    )


def _worst(run: RunEvidence, catalogue: Catalogue, *, worst: int, clips: bool) -> ErrorEntries | str:
    if not worst:
        return "No utterances were asked for (`--worst 0`)."
    try:
        spec = read_spec(run.folder, catalogue)
        return worst_entries(run.folder, run.split, spec=spec, catalogue=catalogue, worst=worst, clips=clips)
    except VietmerError as error:
        return _first_line(error)


def _first_line(error: VietmerError) -> str:
    return " ".join(str(error).split("\n")[:2])


def _compare(runs: Sequence[RunEvidence], *, grouped: bool) -> RunComparison | str:
    try:
        return compare_runs([run.folder.path for run in runs], split=runs[0].split, grouped=grouped)
    except VietmerError as error:
        return _first_line(error)


def _of_comparison(
    found: RunComparison | str | None, runs: Sequence[RunEvidence]
) -> tuple[dict[str, ReportTable], dict[str, Picture]]:
    if not isinstance(found, RunComparison):
        return {}, {}
    comparison, note = found.comparison, standings(list(runs))
    systems: list[dict[str, Any]] = [
        {
            "system": system.name,
            "seeds": " ".join(map(str, system.seeds)),
            "folds": system.num_folds,
            "metric": metric,
            "mean": score.mean,
            "deviation": score.deviation,
            "low": score.interval.low,
            "high": score.interval.high,
            "level": score.interval.level,
            "method": score.interval.method,
            "too_few": score.interval.too_few,
        }
        for system in comparison.systems
        for metric, score in system.scores.items()
    ]
    tables = [ReportTable(name="systems", table=systems_table(comparison), rows=systems, note=note)]
    if comparison.pairs:
        tables.append(ReportTable(name="pairs", table=pairs_table(comparison), rows=csv_rows(comparison), note=note))
    pictures = [picture_of(drawing, subject=note) for drawing in comparison_drawings(comparison)]
    return {table.name: table for table in tables}, {picture.drawing.name: picture for picture in pictures}
