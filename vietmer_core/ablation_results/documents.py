"""The results as rows of plain values, for CSV, data frames and JSON. Torch-free."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from vietmer_core.ablation_results.wording import conclusions_of, notes_of
from vietmer_core.comparison.comparing import SystemScores
from vietmer_core.evaluation.cluster_sums import METRICS

if TYPE_CHECKING:
    from vietmer_core.ablation_results.results import GroupResult, Results

CELL_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "loss")


def group_rows(results: "Results") -> list[dict[str, Any]]:
    """One row a group, in the order of the axes; an absent figure is None."""
    return [_with_levels(row.levels, _group_row(row)) for row in results.rows]


def _with_levels(levels: Mapping[str, str], figures: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose levels stand first: that of an axis named like a figure, such as `loss`, as `loss_level`."""
    found: dict[str, Any] = {}
    for axis, level in levels.items():
        name = axis
        while name in figures or name in found:
            name += "_level"
        found[name] = level
    return found | dict(figures)


def _group_row(row: "GroupResult") -> dict[str, Any]:
    found: dict[str, Any] = {"group": row.name, "is_reference": row.is_reference}
    scores, pair = row.scores, row.pair
    found |= {"replicates": 0 if scores is None else len(scores.seeds), "replicates_wanted": row.num_replicates}
    for metric in METRICS:
        found |= _score(metric, scores)
    difference = None if pair is None else pair.difference
    return found | {
        "difference": None if difference is None else difference.value,
        "difference_low": None if difference is None else difference.interval.low,
        "difference_high": None if difference is None else difference.interval.high,
        "p": None if pair is None else pair.p,
        "p_holm": None if pair is None else pair.p_holm,
        "smallest_p": None if pair is None else pair.smallest_p,
        "p_swaps": None if pair is None else pair.permutation.p,
        "p_t": None if difference is None else difference.p_t,
        "p_folds": None if pair is None or pair.resampled is None else pair.resampled.p,
        "p_best": row.p_best,
        "standing": row.standing,
        "missing": "; ".join(f"{cell.title}: {cell.reason}" for cell in row.missing),
        "apart": row.apart,
    }


def _score(metric: str, scores: SystemScores | None) -> dict[str, float | None]:
    score = None if scores is None else scores.scores[metric]
    return {
        metric: None if score is None else score.mean,
        f"{metric}_deviation": None if score is None else score.deviation,
        f"{metric}_low": None if score is None else score.interval.low,
        f"{metric}_high": None if score is None else score.interval.high,
    }


def cell_rows(results: "Results") -> list[dict[str, Any]]:
    """One row a cell, in the order of the axes."""
    rows = []
    for cell in results.matrix.cells:
        outcome = cell.outcome or {}
        scores = outcome.get("scores") or {}
        figures = {
            "cell": cell.id,
            "status": cell.status,
            **{metric: scores.get(metric) for metric in CELL_METRICS},
            "num_utterances": outcome.get("num_utterances"),
            "best_epoch": outcome.get("best_epoch"),
            "seconds": (outcome.get("seconds") or {}).get("total"),
            "protocol": outcome.get("protocol"),
            "audit": outcome.get("audit"),
            "reason": cell.reason,
            "folder": str(cell.folder.path),
        }
        rows.append(_with_levels(cell.levels, figures))
    return rows


def effect_rows(results: "Results") -> list[dict[str, Any]]:
    """One row an effect."""
    effects = () if results.effects is None else results.effects.effects
    return [
        {
            "effect": effect.name,
            "contrasts": effect.contrasts,
            "share": effect.share,
            "statistic": effect.statistic,
            "degrees_above": None if effect.degrees is None else effect.degrees[0],
            "degrees_below": None if effect.degrees is None else effect.degrees[1],
            "p": effect.p,
            "p_holm": effect.p_holm,
        }
        for effect in effects
    ]


def level_rows(results: "Results") -> list[dict[str, Any]]:
    """One row a level, with its marginal mean."""
    rows = []
    for one in results.levels:
        found = {name: value for name, value in attrs.asdict(one).items() if name != "difference"}
        names = ("value", "low", "high", "p", "p_holm")
        values = [None if one.difference is None else getattr(one.difference, name) for name in names]
        columns = ("difference", "difference_low", "difference_high", "difference_p", "difference_p_holm")
        rows.append({**found, **dict(zip(columns, values, strict=True))})
    return rows


def as_json(results: "Results") -> dict[str, Any]:
    """Everything, as plain values."""
    matrix, best = results.matrix, results.best
    return {
        "version": 1,
        "name": matrix.name,
        "split": matrix.split,
        "metric": results.metric,
        "axes": {axis: list(levels) for axis, levels in matrix.axes.items()},
        "replicates": {axis: list(levels) for axis, levels in matrix.replicates.items()},
        "folds": list(results.folds),
        "reference": dict(matrix.reference),
        "data": list(results.fingerprints),
        "protocols": list(results.protocols),
        "audits": list(results.audits),
        "num_utterances": results.num_utterances,
        "num_speakers": results.num_speakers,
        "best": None if best is None else {"name": best.name, "possible": list(best.possible), "p": dict(best.p)},
        "conclusions": list(conclusions_of(results)),
        "notes": list(notes_of(results)),
        "groups": group_rows(results),
        "effects": effect_rows(results),
        "effects_rest": None if results.effects is None else results.effects.rest,
        "levels": level_rows(results),
        "ranks": None if results.ranks is None else attrs.asdict(results.ranks),
        "cells": cell_rows(results),
    }
