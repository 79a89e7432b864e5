"""`results`: a matrix folder, read and tested. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from vietmer_core.ablation.cell import title_of
from vietmer_core.ablation.results import StoredMatrix, read_matrix
from vietmer_core.ablation_results.design import design_of
from vietmer_core.ablation_results.effects import Effects, effects_of
from vietmer_core.ablation_results.groups import Group, Groups, MissingCell, read_groups
from vietmer_core.ablation_results.levels import LevelMean, level_means
from vietmer_core.ablation_results.ranks import Ranks, ranks_of
from vietmer_core.comparison.best import BestSet, best_of
from vietmer_core.comparison.comparing import Comparison, SystemScores, compare_systems, scores_of
from vietmer_core.comparison.pairs import Pair
from vietmer_core.comparison.systems import System, aligned
from vietmer_core.errors import RunError
from vietmer_core.evaluation.cluster_sums import METRICS, SHARES

if TYPE_CHECKING:
    import pandas as pd


@attrs.frozen(kw_only=True, eq=False)
class GroupResult:
    """One row of the table.

    Attributes:
        name: `fusion=xattn, pooler=mean`.
        levels: The same by axis.
        num_replicates: Replicates that the matrix has.
        scores: Means over replicates with intervals; None where no replicate has a score.
        is_reference: Whether it is the reference of the matrix.
        pair: This group minus the reference; None for the reference, and where there is nothing to compare.
        p_best: Of its difference from the best group, times the number of such differences; None as above.
        standing: `highest`, `possible` where `p_best` is above .05, or empty; see `comparison/best.py`.
        missing: Cells without a score.
        apart: Why it is compared with no other group; empty where it is.
    """

    name: str
    levels: Mapping[str, str]
    num_replicates: int
    scores: SystemScores | None
    is_reference: bool
    pair: Pair | None
    p_best: float | None
    standing: str
    missing: tuple[MissingCell, ...]
    apart: str

    @property
    def short(self) -> str:
        """Its levels alone: `xattn, mean`."""
        return ", ".join(self.levels.values()) or self.name


@attrs.frozen(kw_only=True, eq=False)
class Results:
    """What a matrix found.

    Attributes:
        matrix: Its folder, axes and cells.
        metric: The one that is tested.
        rows: One a group, in the order of the axes.
        replicates: Names of the replicates.
        folds: Replicate axes that are folds, joined in each group.
        comparison: Of each group with the reference; None where there are not two groups, or it has no score.
        best: The groups that the best may be among; None where no group has a score.
        effects: Of the axes; None where there are not two groups.
        levels: Marginal means.
        ranks: Over speakers; None with fewer than two groups or speakers.
        protocols: How the corpus was split, as the cells say.
        audits: Verdicts on leaks between the splits.
        fingerprints: Of what was tested.
        num_utterances: That the groups compared tested; 0 where there is none.
        num_speakers: Of these; an utterance of an unknown speaker counts as one.
        num_unknown_speakers: Utterances whose speaker is unknown.
    """

    matrix: StoredMatrix
    metric: str
    rows: tuple[GroupResult, ...]
    replicates: tuple[str, ...]
    folds: tuple[str, ...]
    comparison: Comparison | None
    best: BestSet | None
    effects: Effects | None
    levels: tuple[LevelMean, ...]
    ranks: Ranks | None
    protocols: tuple[str, ...]
    audits: tuple[str, ...]
    fingerprints: tuple[str, ...]
    num_utterances: int = 0
    num_speakers: int = 0
    num_unknown_speakers: int = 0

    @property
    def scored(self) -> tuple[GroupResult, ...]:
        """The rows with scores, best first."""
        sign = 1.0 if self.higher_is_better else -1.0
        have = [(row.scores.scores[self.metric].mean, row) for row in self.rows if row.scores is not None]
        return tuple(row for _, row in sorted(have, key=lambda pair: -sign * pair[0]))

    @property
    def missing(self) -> tuple[MissingCell, ...]:
        """All cells without a score."""
        return tuple(cell for row in self.rows for cell in row.missing)

    @property
    def higher_is_better(self) -> bool:
        """Whether the metric is one of which more is better."""
        return self.metric in SHARES

    @property
    def reference(self) -> GroupResult | None:
        """The row of the reference; None where the matrix leaves it out."""
        return next((row for row in self.rows if row.is_reference), None)

    def frame(self) -> "pd.DataFrame":
        """The table as a data frame, one row a group, in the order of the axes (needs pandas).

        Raises:
            RunError: if pandas is not installed.
        """
        from vietmer_core.ablation_results.frames import group_frame

        return group_frame(self)

    def cells(self) -> "pd.DataFrame":
        """One row a cell, with its status and scores, as a data frame (needs pandas).

        Raises:
            RunError: if pandas is not installed.
        """
        from vietmer_core.ablation_results.frames import cell_frame

        return cell_frame(self)

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        from vietmer_core.ablation_results.documents import as_json

        return as_json(self)


def results(folder: Path, *, metric: str = "macro_f1", seed: int = 0) -> Results:
    """Read a matrix and test its groups; it may be under way.

    Args:
        folder: `FOLDER/NAME`, as `ablate` printed it.
        metric: The one that is tested, of `cluster_sums.METRICS`.
        seed: Of draws and swaps.

    Raises:
        RunError: if the folder holds no matrix, or the metric is not known.
    """
    if metric not in METRICS:
        raise RunError(f"the metric must be one of {', '.join(METRICS)}, but is `{metric}` instead.")
    matrix = read_matrix(folder)
    read = read_groups(matrix)
    reference = title_of(matrix.reference) or matrix.name
    comparable, apart = _comparable(read.groups, reference=reference)
    comparison = _compared(comparable, reference=reference, metric=metric, seed=seed)
    best = best_of(comparable, metric=metric, seed=seed, comparison=comparison)
    levels = {group.name: group.levels for group in read.groups}
    made = _Tested(groups=read, reference=reference, comparison=comparison, best=best, apart=apart, seed=seed)
    found = Results(
        matrix=matrix,
        metric=metric,
        rows=tuple(made.row(group) for group in read.groups),
        replicates=read.replicates,
        folds=read.folds,
        comparison=comparison,
        best=best,
        effects=None,
        levels=(),
        ranks=None,
        protocols=_facts(matrix, "protocol"),
        audits=_facts(matrix, "audit"),
        fingerprints=tuple(dict.fromkeys(data for group in read.groups for data in group.data)),
    )
    return _with_effects(found, comparable, levels) if comparable else found


def _with_effects(found: Results, systems: Sequence[System], levels: Mapping[str, Mapping[str, str]]) -> Results:
    """The same with what is told of the axes, and the ranks."""
    metric, matrix = found.metric, found.matrix
    design = design_of(systems, [levels[one.name] for one in systems], axes=matrix.axes, metric=metric)
    bounds = (0.0, 1.0) if metric in SHARES else (0.0, np.inf)
    return attrs.evolve(
        found,
        num_utterances=systems[0].num_utterances,
        num_speakers=design.num_speakers,
        num_unknown_speakers=systems[0].num_unknown_speakers,
        effects=effects_of(design),
        levels=level_means(design, reference=matrix.reference, bounds=bounds),
        ranks=ranks_of(design.by_speaker, tuple(one.name for one in systems), higher_is_better=found.higher_is_better),
    )


def _facts(matrix: StoredMatrix, name: str) -> tuple[str, ...]:
    """What the finished cells say of one thing, each once."""
    outcomes = [cell.outcome for cell in matrix.cells if cell.outcome is not None and cell.status == "finished"]
    return tuple(sorted({str(outcome[name]) for outcome in outcomes if outcome.get(name) is not None}))


def _comparable(groups: Sequence[Group], *, reference: str) -> tuple[list[System], dict[str, str]]:
    """The systems that tested what the reference tested, in one order, and why each other one is left out.

    Where the reference has no score, the first group that has one stands for it.
    """
    with_scores = [group.system for group in groups if group.system is not None]
    if not with_scores:
        return [], {}
    first = next((system for system in with_scores if system.name == reference), with_scores[0])
    kept, apart = [], {}
    for system in with_scores:
        try:
            kept.append(aligned([first, system])[1])
        except RunError as error:
            apart[system.name] = str(error)
    return kept, apart


def _compared(systems: Sequence[System], *, reference: str, metric: str, seed: int) -> Comparison | None:
    if len(systems) < 2 or reference not in [system.name for system in systems]:
        return None
    return compare_systems(systems, base=reference, metric=metric, seed=seed)


@attrs.frozen(kw_only=True, eq=False)
class _Tested:
    """Makes the rows of the table."""

    groups: Groups
    reference: str
    comparison: Comparison | None
    best: BestSet | None
    apart: Mapping[str, str]
    seed: int

    def row(self, group: Group) -> GroupResult:
        pairs = () if self.comparison is None else self.comparison.pairs
        p_best = None if self.best is None else self.best.p.get(group.name)
        return GroupResult(
            name=group.name,
            levels=group.levels,
            num_replicates=group.num_replicates,
            scores=self._scores(group),
            is_reference=group.name == self.reference,
            pair=next((pair for pair in pairs if pair.first == group.name), None),
            p_best=p_best,
            standing="" if self.best is None else self.best.standing(group.name),
            missing=group.missing,
            apart=self.apart.get(group.name, ""),
        )

    def _scores(self, group: Group) -> SystemScores | None:
        if group.system is None:
            return None
        known: Iterator[SystemScores] = iter(() if self.comparison is None else self.comparison.systems)
        found = next((scores for scores in known if scores.name == group.name), None)
        return scores_of(group.system, seed=self.seed) if found is None else found
