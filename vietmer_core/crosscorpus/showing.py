"""The tables of a cross-corpus matrix. Torch-free."""

from collections.abc import Sequence
from typing import Any

from vietmer_core.comparison.comparing import SystemScore
from vietmer_core.comparison.tables import TextTable
from vietmer_core.comparison.wording import signed, span
from vietmer_core.crosscorpus.entries import METRICS, Entry


def matrix_table(entries: Sequence[Entry], *, names: Sequence[str], metric: str = "macro_f1") -> TextTable:
    """The matrix of one metric: the corpus trained on in rows."""
    found = {(entry.train, entry.test): entry for entry in entries}
    rows = [(train, *(_cell(found[train, test], metric) for test in names)) for train in names]
    return TextTable(
        title=f"{metric} with its 95% interval: trained on (rows), tested on (columns)",
        columns=("trained on", *names),
        rows=tuple(rows),
    )


def _cell(entry: Entry, metric: str) -> str:
    if entry.scores is None:
        return "failed"
    score = entry.scores.scores[metric]
    return f"{_mean(score)} ({span(score.interval)})"


def _mean(score: SystemScore) -> str:
    return f"{score.mean:.3f}" if score.deviation is None else f"{score.mean:.3f} ± {score.deviation:.3f}"


def entries_table(entries: Sequence[Entry]) -> TextTable:
    """Each entry with what it was scored over, and what is lost against training on the tested corpus."""
    columns = ("trained on", "tested on", "audit", "labels", "utterances", "speakers", *METRICS, "lost", "interval")
    rows = []
    for entry in entries:
        scores = ["failed"] * len(METRICS) if entry.scores is None else [_mean(entry.scores.scores[m]) for m in METRICS]
        lost = ("–", "–")
        if entry.lost is not None:
            found = entry.lost["macro_f1"]
            lost = (signed(found.value), span(found.interval, of_difference=True))
        sizes = (len(entry.labels), entry.num_utterances, entry.num_speakers)
        rows.append((entry.train, entry.test, entry.audit, *map(str, sizes), *scores, *lost))
    return TextTable(
        title="what is lost in macro_f1 against training on the tested corpus itself, over the same labels",
        columns=columns,
        rows=tuple(rows),
        num_left=3,
    )


def csv_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """One row an entry, with every figure of it."""
    rows = []
    for entry in entries:
        row: dict[str, Any] = {
            "train": entry.train,
            "test": entry.test,
            "labels": " ".join(entry.labels),
            "num_utterances": entry.num_utterances,
            "num_speakers": entry.num_speakers,
            "seeds": 0 if entry.scores is None else len(entry.scores.seeds),
            "audit": entry.audit,
            "protocol": entry.protocol,
        }
        for metric in METRICS:
            score = None if entry.scores is None else entry.scores.scores[metric]
            lost = None if entry.lost is None else entry.lost[metric]
            row |= {
                metric: None if score is None else score.mean,
                f"{metric}_deviation": None if score is None else score.deviation,
                f"{metric}_low": None if score is None else score.interval.low,
                f"{metric}_high": None if score is None else score.interval.high,
                f"{metric}_lost": None if lost is None else lost.value,
                f"{metric}_lost_low": None if lost is None else lost.interval.low,
                f"{metric}_lost_high": None if lost is None else lost.interval.high,
            }
        rows.append({**row, "failures": " ".join(entry.failures)})
    return rows
