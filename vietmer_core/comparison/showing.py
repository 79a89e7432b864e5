"""The tables of a comparison: the scores of the systems, and the pairs. Torch-free."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from vietmer_core.comparison.comparing import Comparison, SystemScore, SystemScores
from vietmer_core.comparison.pairs import Pair
from vietmer_core.comparison.tables import TextTable
from vietmer_core.comparison.wording import MINUS, p_text, signed, span

SHOWN: Final = ("balanced_accuracy", "accuracy")
"""Metrics that stand beside the one tested."""

DECIDING: Final = ("difference", "interval", "p", "p (Holm)")
"""Columns of a pair that its conclusion rests on."""
EFFECTS: Final = ("speakers d", "McNemar p", "g", "p over folds")
"""Its other columns; the last only where there are folds."""


def systems_table(comparison: Comparison) -> TextTable:
    """Each system with its mean over seeds and its interval."""
    metric = comparison.metric
    others = tuple(name for name in ("macro_f1", *SHOWN) if name != metric)[: len(SHOWN)]
    rows = []
    for system in comparison.systems:
        score = system.scores[metric]
        figures = (_mean(score), span(score.interval), *(_mean(system.scores[name]) for name in others))
        rows.append((system.name, _trained(system), *figures))
    return TextTable(
        title=f"{metric} of {comparison.num_utterances} utterances, with its {comparison.level:.0%} interval",
        columns=("system", "seeds", metric, "interval", *others),
        rows=tuple(rows),
    )


def _mean(score: SystemScore) -> str:
    return f"{score.mean:.3f}" if score.deviation is None else f"{score.mean:.3f} ± {score.deviation:.3f}"


def _trained(system: SystemScores) -> str:
    folds = "" if system.num_folds is None else f" × {system.num_folds} folds"
    return ", ".join(map(str, system.seeds)) + folds


def pairs_table(comparison: Comparison) -> TextTable:
    """Each pair with its difference, tests and effect sizes."""
    over_folds = any(pair.resampled is not None for pair in comparison.pairs)
    columns = ("first", "second", *DECIDING, *EFFECTS[:-1])
    return TextTable(
        title=f"differences in {comparison.metric}, first minus second",
        columns=(*columns, *(EFFECTS[-1:] if over_folds else ())),
        rows=tuple(_pair_row(pair, over_folds=over_folds) for pair in comparison.pairs),
        num_left=2,
    )


def _pair_row(pair: Pair, *, over_folds: bool) -> tuple[str, ...]:
    found = pair.difference
    resampled = "–" if pair.resampled is None else p_text(pair.resampled.p)
    return (
        pair.first,
        pair.second,
        signed(found.value),
        span(found.interval, of_difference=True),
        p_text(pair.p),
        p_text(pair.p_holm),
        _signed_short(pair.dominance),
        _range([test.p for test in pair.mcnemar], written=p_text),
        _range([test.g for test in pair.mcnemar if test.g is not None], written=_signed_short),
        *((resampled,) if over_folds else ()),
    )


def _signed_short(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)


def _range(values: Sequence[float], *, written: Callable[[float], str]) -> str:
    """The smallest and the largest of several seeds."""
    ends = [] if not values else [written(min(values)), written(max(values))]
    return " to ".join(dict.fromkeys(ends)) or "–"


def csv_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """One row a pair, with every figure of it and the means of its systems."""
    means = {system.name: system.scores[comparison.metric].mean for system in comparison.systems}
    return [
        {
            "first": pair.first,
            "second": pair.second,
            "metric": pair.metric,
            "first_mean": means[pair.first],
            "second_mean": means[pair.second],
            "seed_pairs": len(pair.seeds),
            "difference": pair.difference.value,
            "low": pair.difference.interval.low,
            "high": pair.difference.interval.high,
            "level": comparison.level,
            "method": pair.difference.interval.method,
            "drawn_low": pair.difference.interval.drawn_low,
            "drawn_high": pair.difference.interval.drawn_high,
            "p": pair.p,
            "p_holm": pair.p_holm,
            "smallest_p": pair.smallest_p,
            "p_permutation": pair.permutation.p,
            "p_t": pair.difference.p_t,
            "p_folds": None if pair.resampled is None else pair.resampled.p,
            "dominance": pair.dominance,
            "num_utterances": comparison.num_utterances,
            "num_speakers": comparison.num_speakers,
        }
        for pair in comparison.pairs
    ]
